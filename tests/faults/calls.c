/* SPDX-License-Identifier: MIT */
/*
 * calls NAME NUMBER ERRNO COMMAND...: runs a command of which one system call is not carried out, but returns
 * an error: the one of that NUMBER, from 1, among those called NAME, all its tasks and children counted
 * together. Its exit status is the command's. strace(1) can do that, too, but to start it takes longer than
 * what it is to watch; here the kernel asks about the calls of that name alone (seccomp_unotify(2)).
 */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 126 };

static const struct {
	const char *name;
	unsigned number;
} names[] = {
#include "tests/faults/names.h" /* made of the system's own */
};

struct command {
	char **words;
	unsigned call;
	int listener; /* or -1 */
};

/* Runs in the address space of its parent, with its descriptors, until it executes the command. */
static int begin(void *argument)
{
	struct command *command = argument;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, command->call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	/* It comes to an end with whoever started this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	command->listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
					 SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (command->listener >= 0)
		execvp(command->words[0], command->words);
	_exit(CANNOT);
}

/* Answers the kernel until nobody is left who could make a call. */
static void supervise(int listener, unsigned long number, int error)
{
	unsigned long count = 0;

	for (;;) {
		/* Newer kernels may have more to say. */
		union {
			struct seccomp_notif notif;
			char room[512];
		} asked = { .room = { 0 } };
		struct seccomp_notif_resp answer = { 0 };
		struct pollfd ready = { .fd = listener, .events = POLLIN };

		if (poll(&ready, 1, -1) < 0 || !(ready.revents & POLLIN))
			break;
		/* Whoever called may have ended meanwhile. */
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked.notif) < 0)
			continue;
		answer.id = asked.notif.id;
		if (++count == number)
			answer.error = -error;
		else
			answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static int cannot(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	return CANNOT;
}

int main(int argc, char **argv)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct command command = { .words = argv + 4, .call = UINT_MAX, .listener = -1 };
	int status;
	pid_t pid;

	if (argc < 5)
		return CANNOT;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, argv[1]) == 0)
			command.call = names[i].number;
	errno = ENOSYS;
	if (command.call == UINT_MAX)
		return cannot(argv[1]);
	pid = clone(begin, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &command);
	if (pid < 0 || command.listener < 0)
		return cannot("seccomp");
	supervise(command.listener, strtoul(argv[2], NULL, 10), atoi(argv[3]));
	if (waitpid(pid, &status, 0) < 0)
		return cannot("waitpid");
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT;
}
