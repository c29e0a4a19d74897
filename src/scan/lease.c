/* SPDX-License-Identifier: MIT */
#include "scan/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int lease_retake(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		return 0;
	return errno == EAGAIN ? -EBUSY : -errno;
}

int lease_take(int dir, const char *leaf, uint64_t dev, uint64_t ino, struct stat *st, int *fd)
{
	_cleanup_(close_fd) int file = -1;
	int r;

	file = openat(dir, leaf, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	/* Somebody has a lease on it himself, and so has it open. */
	if (file < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(file, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) || st->st_dev != dev || st->st_ino != ino)
		return -ESTALE;
	r = lease_retake(file);
	if (r == 0)
		*fd = take_fd(&file);
	return r;
}

int lease_check(int fd)
{
	int type = fcntl(fd, F_GETLEASE);

	if (type < 0)
		return -errno;
	return type == F_WRLCK ? 0 : -EBUSY;
}

int lease_release(int fd)
{
	return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? -errno : 0;
}
