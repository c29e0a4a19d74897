/* SPDX-License-Identifier: MIT */
/* A process in an IPC namespace of its own, with System V objects; and as many objects here. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "group.h"

/* Numbers are limited by kind: 4096 segments. */
static enum kind kind_of(unsigned int number)
{
	static const enum kind kinds[] = { SYSV_MSG, SYSV_SEM, SYSV_SHM };

	return kinds[number % (sizeof(kinds) / sizeof(kinds[0]))];
}

static void be_place(unsigned int index, int ready)
{
	if (unshare(CLONE_NEWIPC) < 0)
		die("an IPC namespace");
	for (unsigned int i = index * PLACED; i < (index + 1) * PLACED; i++)
		if (make_sysv(kind_of(i), i) < 0)
			die("an object in an IPC namespace");
	if (write(ready, "", 1) != 1)
		die("a place");
	close(ready);
	for (;;)
		pause();
}

int make_place(unsigned int index, const char *directory, struct made *made)
{
	pid_t parent = getpid(), child;
	int ready[2];
	char byte;

	(void)directory;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(ready[0]);
		be_place(index, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		errno = ECHILD;
		return -1;
	}
	close(ready[0]);
	for (unsigned int i = index * PLACED; i < (index + 1) * PLACED; i++) {
		if (make_sysv(kind_of(i), i) < 0)
			return -1;
		made->objects[kind_of(i)]++;
	}
	made->processes++;
	made->places++;
	made->elsewhere += PLACED;
	return 0;
}
