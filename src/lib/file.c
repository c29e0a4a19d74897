/* SPDX-License-Identifier: MIT */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

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

ssize_t read_small_at(int dirfd, const char *path, char *text, size_t size)
{
	_cleanup_(close_fd) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size);

	return n < 0 ? -errno : n;
}

/* Drops what was handed out and reads another chunk behind the rest. */
static int refill(struct line_reader *r)
{
	char *p;
	ssize_t n;

	if (r->text.len - r->at > CHUNK) {
		/* No line of that length is any of ours; the rest of it is none either. */
		r->at = r->text.len;
		r->skipping = true;
	}
	if (r->at > 0) {
		memmove(r->text.data, r->text.data + r->at, r->text.len - r->at);
		r->text.len -= r->at;
		r->at = 0;
	}
	p = buf_reserve(&r->text, CHUNK);
	if (!p)
		return -ENOMEM;
	do
		n = read(r->fd, p, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->reads++;
	r->text.len += (size_t)n;
	r->ended = n == 0;
	return 0;
}

int line_reader_next(struct line_reader *r, struct span *line)
{
	for (;;) {
		size_t left = r->text.len - r->at;
		const char *start = left ? r->text.data + r->at : NULL;
		const char *end = left ? memchr(start, '\n', left) : NULL;
		int error;

		if (end || (r->ended && left > 0)) {
			bool whole = !r->skipping;

			line->ptr = start;
			line->len = end ? (size_t)(end - start) : left;
			r->at += line->len + (end != NULL);
			r->skipping = false;
			if (whole)
				return 1;
			continue;
		}
		if (r->ended)
			return 0;
		error = refill(r);
		if (error < 0)
			return error;
	}
}

void line_reader_free(struct line_reader *r)
{
	buf_free(&r->text);
}

/* linux_dirent64 of getdents64(2). */
struct dirent_record {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

int dir_reader_next(struct dir_reader *r, const char **name)
{
	/* Large: a directory of /dev/shm may hold 100000 names. */
	const size_t size = (size_t)128 << 10;

	if (!r->buffer)
		r->buffer = malloc(size);
	if (!r->buffer)
		return -ENOMEM;
	for (;;) {
		const struct dirent_record *d;

		if (r->at >= r->end) {
			r->at = 0;
			r->end = syscall(SYS_getdents64, r->fd, r->buffer,
					 r->most && r->most < size ? r->most : size);
			if (r->end <= 0)
				return r->end < 0 ? -errno : 0;
		}
		d = (const void *)(r->buffer + r->at);
		r->at += d->reclen;
		*name = d->name;
		r->type = d->type;
		if (strcmp(d->name, ".") != 0 && strcmp(d->name, "..") != 0)
			return 1;
	}
}

void dir_reader_free(struct dir_reader *r)
{
	free(r->buffer);
	*r = (struct dir_reader){ .fd = -1 };
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
