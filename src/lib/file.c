/* SPDX-License-Identifier: MIT */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>

#define CHUNK ((size_t)64 << 10)

int read_fd(int fd, struct buf *b)
{
	for (;;) {
		char *p = buf_reserve(b, CHUNK);
		ssize_t n;

		if (!p)
			return -ENOMEM;
		n = read(fd, p, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
	}
}

int read_file_at(int dirfd, const char *path, struct buf *b)
{
	_cleanup_(close_fd) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : read_fd(fd, b);
}

int pread_into(int fd, uint64_t offset, size_t max, struct buf *b)
{
	while (max > 0) {
		size_t want = max < CHUNK ? max : CHUNK;
		char *p = buf_reserve(b, want);
		ssize_t n;

		if (!p)
			return -ENOMEM;
		n = pread(fd, p, want, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b->len += (size_t)n;
		offset += (size_t)n;
		max -= (size_t)n;
	}
	return 0;
}
