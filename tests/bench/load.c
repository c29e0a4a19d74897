/* SPDX-License-Identifier: MIT */
/*
 * Runs a command among as many IPC objects as asked for.
 *
 * The objects live in IPC, mount, PID and network namespaces of their own. There is no
 * clean-up code: the namespaces end with their first process, that one ends with us, and we
 * end with whoever started us, however it ends. An ordinary user gets a user namespace too.
 *
 * The command finds what was made in the environment: BENCH_MADE="KIND=NUMBER ...", the
 * objects, and BENCH_HELD, for each of these the number of processes that have it, added up.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

/* Every other System V object has a key, and it is one that /proc/sysvipc shows as negative. */
static key_t key_of(unsigned int index)
{
	return index % 2 ? (key_t)(0xc0000000U + index) : IPC_PRIVATE;
}

/* Each object is used once after it is made, so that no column of it is left at zero. */
static int make_queue(unsigned int index)
{
	struct {
		long type;
		char body[16];
	} message = { .type = 1, .body = "bench" };
	int id = msgget(key_of(index), IPC_CREAT | IPC_EXCL | 0600);

	if (id < 0)
		return -1;
	return msgsnd(id, &message, index % sizeof(message.body), IPC_NOWAIT);
}

static int make_set(unsigned int index)
{
	struct sembuf up = { .sem_num = 0, .sem_op = 1, .sem_flg = IPC_NOWAIT };
	int id = semget(key_of(index), 1 + (int)(index % 4), IPC_CREAT | IPC_EXCL | 0640);

	return id < 0 ? -1 : semop(id, &up, 1);
}

static int make_segment(unsigned int index)
{
	int id = shmget(key_of(index), 1 + (size_t)index * 16, IPC_CREAT | IPC_EXCL | 0666);
	char *address;

	if (id < 0)
		return -1;
	address = shmat(id, NULL, 0);
	if (address == (char *)-1)
		return -1;
	address[0] = 1;
	return shmdt(address);
}

int make_sysv(enum kind kind, unsigned int index)
{
	return kind == SYSV_MSG ? make_queue(index) :
	       kind == SYSV_SEM ? make_set(index) :
				  make_segment(index);
}

static int make_shm_file(unsigned int index)
{
	char path[64];
	int fd, result;

	snprintf(path, sizeof(path), "/dev/shm/bench_%u", index);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	result = ftruncate(fd, (off_t)index * 512);
	if (close(fd) < 0)
		result = -1;
	return result;
}

/* Of a user without processes, if this one may give files away. */
static int make_leaked_file(unsigned int index)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/bench_%u", index);
	if (make_shm_file(index) < 0)
		return -1;
	return chown(path, 65534, 65534) < 0 && errno != EINVAL && errno != EPERM ? -1 : 0;
}

/* A further kind of load is one function and one line here. */
static const struct load {
	const char *option;
	enum kind kind; /* of the one object that make() makes */
	int (*make)(unsigned int index);
	int (*make_group)(unsigned int index, const char *directory, struct made *made);
} loads[] = {
	{ "queues", SYSV_MSG, make_queue, NULL },
	{ "sets", SYSV_SEM, make_set, NULL },
	{ "segments", SYSV_SHM, make_segment, NULL },
	{ "shm-files", POSIX_SHM, make_shm_file, NULL },
	{ "leaked-files", POSIX_SHM, make_leaked_file, NULL },
	{ "typical-groups", NKINDS, NULL, make_typical_group },
	{ "even-groups", NKINDS, NULL, make_even_group },
	{ "lockers", NKINDS, NULL, make_locker },
	{ "blockers", NKINDS, NULL, make_blocker },
	{ "places", NKINDS, NULL, make_place },
};

#define NLOADS (sizeof(loads) / sizeof(loads[0]))

static void usage(void)
{
	fputs("usage: load", stderr);
	for (size_t i = 0; i < NLOADS; i++)
		fprintf(stderr, " [--%s N]", loads[i].option);
	fputs(" -- COMMAND [ARGUMENT...]\n       load --compositions\n", stderr);
	exit(2);
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0)
		fail(path);
}

static void enter_namespaces(void)
{
	const int wanted = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;
	unsigned int uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(wanted) == 0)
		return;
	if (errno != EPERM)
		fail("unshare");
	if (unshare(wanted | CLONE_NEWUSER) < 0)
		fail("unshare with a user namespace");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
}

/*
 * A directory for files and sockets outside of /dev/shm, empty and our own. Returns where:
 * one of those that every system has, and that nothing here is likely to lie in.
 */
static const char *mount_private(void)
{
	static const char *const places[] = { "/run/lock", "/srv", "/mnt" };
	const unsigned long flags = MS_NOSUID | MS_NODEV;
	struct stat found;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("making the mounts private");
	if (mount("proc", "/proc", "proc", flags | MS_NOEXEC, NULL) < 0)
		fail("mounting /proc");
	/* The default number of inodes follows the memory of the machine: too few on a small one. */
	if (mount("tmpfs", "/dev/shm", "tmpfs", flags, "mode=1777,nr_inodes=1000000") < 0)
		fail("mounting /dev/shm");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (lstat(places[i], &found) < 0 || !S_ISDIR(found.st_mode))
			continue;
		if (mount("tmpfs", places[i], "tmpfs", flags, "mode=0755,nr_inodes=1000000") < 0)
			fail(places[i]);
		return places[i];
	}
	errno = ENOENT;
	fail("a directory to mount on");
}

static void tell_numbers(const char *variable, const char *totals, const unsigned int numbers[NKINDS])
{
	static const char *const names[NKINDS] = {
		[SYSV_MSG] = "sysv-msg",	 [SYSV_SEM] = "sysv-sem", [SYSV_SHM] = "sysv-shm",
		[POSIX_SHM] = "posix-shm",	 [PIPE] = "pipe",	  [UNIX_SOCKET] = "unix-socket",
		[EVENTFD] = "eventfd",		 [MEMFD] = "memfd",	  [FILE_MAPPING] = "file-mapping",
		[ANON_MAPPING] = "anon-mapping", [FLOCK] = "flock",	  [RECORD_LOCK] = "record-lock",
	};
	char text[1024];
	int length = snprintf(text, sizeof(text), "%s", totals);

	for (int i = 0; i < NKINDS; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%s=%u", length ? " " : "",
				   names[i], numbers[i]);
	if (setenv(variable, text, 1) < 0)
		fail("setenv");
}

static void tell(const struct made *made)
{
	char totals[160];

	snprintf(totals, sizeof(totals),
		 "processes=%u descriptors=%u mappings=%u waits=%u places=%u elsewhere=%u", made->processes,
		 made->descriptors, made->mappings, made->waits, made->places, made->elsewhere);
	tell_numbers("BENCH_MADE", totals, made->objects);
	tell_numbers("BENCH_HELD", "", made->held);
}

static int make_one(const struct load *load, unsigned int index, const char *directory, struct made *made)
{
	if (load->make_group)
		return load->make_group(index, directory, made);
	made->objects[load->kind]++;
	return load->make(index);
}

static void make_load(const unsigned int counts[NLOADS], const char *directory)
{
	struct made made = { 0 };

	for (size_t i = 0; i < NLOADS; i++) {
		for (unsigned int n = 0; n < counts[i]; n++) {
			if (make_one(&loads[i], n, directory, &made) == 0)
				continue;
			fprintf(stderr, "load: --%s: number %u of %u: %s\n", loads[i].option, n + 1,
				counts[i], strerror(errno));
			exit(1);
		}
	}
	tell(&made);
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * A child, so that it is not the parent of the groups: some programs wait for all that
 * they have. When it ends, everything does. Returns what to exit with.
 */
static int run_command(char **command)
{
	pid_t child = fork(), ended;
	int status;

	if (child < 0)
		fail("fork");
	if (child == 0) {
		execvp(command[0], command);
		fail(command[0]);
	}
	while ((ended = wait(&status)) != child) {
		if (ended < 0 && errno != EINTR)
			fail("wait");
	}
	return exit_status(status);
}

/*
 * The first process of the PID namespace. `alive` is the read end of a pipe whose only
 * other end is with our parent: it has hung up if the parent died before prctl().
 */
__attribute__((noreturn)) static void run_inside(int alive, const unsigned int counts[NLOADS], char **command)
{
	struct pollfd parent = { .fd = alive };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail("prctl");
	if (poll(&parent, 1, 0) != 0)
		exit(1);
	close(alive); /* it would be in the listings */
	/* Lost with the change of credentials, and it decides whether a user may read /proc/PID/fd. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		fail("prctl");
	make_load(counts, mount_private());
	exit(run_command(command));
}

static unsigned int parse_count(const char *text)
{
	char *end;
	unsigned long count;

	errno = 0;
	count = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || count > INT_MAX) {
		fprintf(stderr, "load: not a count: %s\n", text);
		exit(2);
	}
	return (unsigned int)count;
}

/* Returns the index in argv of the command. */
static int parse_options(int argc, char **argv, unsigned int counts[NLOADS])
{
	struct option options[NLOADS + 2] = { 0 };
	int found;

	for (size_t i = 0; i < NLOADS; i++)
		options[i] = (struct option){ loads[i].option, required_argument, NULL, (int)i };
	options[NLOADS] = (struct option){ "compositions", no_argument, NULL, NLOADS };
	while ((found = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (found == '?')
			usage();
		if (found == NLOADS) {
			print_compositions();
			exit(0);
		}
		counts[found] = parse_count(optarg);
	}
	if (optind == argc)
		usage();
	return optind;
}

int main(int argc, char **argv)
{
	unsigned int counts[NLOADS] = { 0 };
	int command = parse_options(argc, argv, counts);
	int alive[2], status;
	pid_t child;

	enter_namespaces();
	/* After unshare(2): a change of credentials forgets the signal. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail("prctl");
	if (pipe2(alive, O_CLOEXEC) < 0)
		fail("pipe");
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		close(alive[1]);
		run_inside(alive[0], counts, argv + command);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			fail("waitpid");
	}
	return exit_status(status);
}
