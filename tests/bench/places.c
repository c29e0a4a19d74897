/* SPDX-License-Identifier: MIT */
/* A process in an IPC namespace of its own, with System V objects; and as many objects here. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "group.h"

/* Numbers are limited by kind: 4096 segments. */
static enum kind kind_of(unsigned int number)
{
	static const enum kind kinds[] = { SYSV_MSG, SYSV_SEM, SYSV_SHM };

	return kinds[number % (sizeof(kinds) / sizeof(kinds[0]))];
}

static void be_place(unsigned int index, const char *directory)
{
	(void)directory;
	if (unshare(CLONE_NEWIPC) < 0)
		die("an IPC namespace");
	for (unsigned int i = index * PLACED; i < (index + 1) * PLACED; i++)
		if (make_sysv(kind_of(i), i) < 0)
			die("an object in an IPC namespace");
}

int make_place(unsigned int index, const char *directory, struct made *made)
{
	if (start_process(be_place, index, directory) < 0)
		return -1;
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
