/* SPDX-License-Identifier: MIT */
/*
 * Processes that start and end as fast as this machine can, of two families. All of a
 * family are called alike and hold that family's things besides their own: whoever is
 * said to hold another family's, or something that stands still, is mistaken for another.
 */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 8

/* What a family shares; the third is mapped as well. */
enum { SHARED_READER, SHARED_WRITER, SHARED_MEMFD, SHARED_SOCKET, SHARED_EVENT, NSHARED };

struct family {
	char name[16];
	int shared[NSHARED];
	pid_t first_pid; /* numbers begin here again after each batch; 0: they go on */
};

static void share(struct family *f)
{
	f->shared[SHARED_MEMFD] = memfd_create(f->name, MFD_CLOEXEC);
	f->shared[SHARED_SOCKET] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	f->shared[SHARED_EVENT] = eventfd(0, EFD_CLOEXEC);
	if (pipe2(&f->shared[SHARED_READER], O_CLOEXEC) < 0 || f->shared[SHARED_MEMFD] < 0 ||
	    f->shared[SHARED_SOCKET] < 0 || f->shared[SHARED_EVENT] < 0 || ftruncate(f->shared[SHARED_MEMFD], 4096) < 0)
		die("what the storm shares");
}

static uint64_t inode(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	return st.st_ino;
}

static void family_truth(struct truth *truth, const struct family *f)
{
	static const struct {
		const char *field;
		int which;
	} fields[] = { { "pipe", SHARED_READER }, { "memfd", SHARED_MEMFD }, { "socket", SHARED_SOCKET } };
	char name[128];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(name, sizeof(name), "%s_%s", f->name, fields[i].field);
		truth_u64(truth, name, inode(f->shared[fields[i].which]));
	}
	snprintf(name, sizeof(name), "%s_event", f->name);
	truth_i64(truth, name, own_fdinfo(f->shared[SHARED_EVENT], "eventfd-id", 10));
}

/* Makes some of everything; the end of the process unmakes it. */
static void live(const struct family *f, pid_t maker, unsigned n)
{
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != maker)
		_exit(1);
	if (pipe(fds) < 0 || (n % 4 == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) || eventfd(n, 0) < 0)
		_exit(1);
	if (n % 4 == 1 && memfd_create("short life", 0) < 0)
		_exit(1);
	if (n % 4 == 2)
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f->shared[SHARED_MEMFD], 0);
	if (n % 2)
		_exit(0);
	for (;;)
		pause();
}

/* proc_sys_kernel(5): the next process gets the number behind this one. */
static void number_from(pid_t first)
{
	char text[32];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, snprintf(text, sizeof(text), "%d", (int)first)) < 0)
		cannot("ns_last_pid");
	close(fd);
}

static void rage(const void *argument)
{
	const struct family *f = argument;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t children[BATCH], self = getpid();

	/* What the factory was started with is no family's. */
	for (int fd = 0; fd <= 2; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(1);
	/* The sign that it is ready. */
	if (setpgid(0, 0) < 0)
		_exit(1);
	for (unsigned n = 0;; n += BATCH) {
		if (f->first_pid)
			number_from(f->first_pid);
		for (unsigned i = 0; i < BATCH; i++) {
			children[i] = fork();
			if (children[i] == 0)
				live(f, self, n + i);
		}
		for (unsigned i = 0; i < BATCH; i++) {
			if (children[i] < 0)
				continue;
			kill(children[i], SIGKILL);
			waitpid(children[i], NULL, 0);
		}
	}
}

static uint64_t leads_group(const void *argument)
{
	const pid_t *pid = argument;

	return getpgid(*pid) == *pid;
}

/* reuse=1: the same few numbers of processes again and again. */
void make_storm(struct job *job)
{
	struct family families[] = { { .name = "storm_a" }, { .name = "storm_b" } };
	uint64_t reuse = arg_u64(&job->args, "reuse", 0);
	char name[16];

	prctl(PR_GET_NAME, name);
	for (int i = 0; i < 2; i++) {
		pid_t maker;

		share(&families[i]);
		family_truth(&job->truth, &families[i]);
		if (reuse) {
			families[i].first_pid = getpid() + 100;
			number_from(families[i].first_pid);
		}
		/* Born with the name: nobody sees it under another. */
		prctl(PR_SET_NAME, families[i].name);
		maker = task_start(&job->tasks, rage, &families[i]);
		prctl(PR_SET_NAME, name);
		for (int j = 0; j < NSHARED; j++)
			close(families[i].shared[j]);
		wait_until(leads_group, &maker, 1, "storm");
	}
}
