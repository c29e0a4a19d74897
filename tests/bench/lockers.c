/* SPDX-License-Identifier: MIT */
/* A process with locks: each of a file of its own, half of them of the whole file, half of a range. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "group.h"

static void lock_file(const char *directory, unsigned int index, unsigned int number)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = number, .l_len = 10 };
	char path[128];
	int fd;

	if (snprintf(path, sizeof(path), "%s/lock-%u-%u", directory, index, number) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		die("the path of a locked file");
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || (number % 2 ? fcntl(fd, F_SETLK, &range) : flock(fd, LOCK_EX)) < 0)
		die(path);
}

static void be_locker(unsigned int index, const char *directory)
{
	for (unsigned int i = 0; i < LOCKS; i++)
		lock_file(directory, index, i);
}

int make_locker(unsigned int index, const char *directory, struct made *made)
{
	if (start_process(be_locker, index, directory) < 0)
		return -1;
	made->processes++;
	made->descriptors += LOCKS;
	made->objects[FLOCK] += (LOCKS + 1) / 2;
	made->objects[RECORD_LOCK] += LOCKS / 2;
	made->held[FLOCK] += (LOCKS + 1) / 2;
	made->held[RECORD_LOCK] += LOCKS / 2;
	return 0;
}
