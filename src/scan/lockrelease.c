/* SPDX-License-Identifier: MIT */
#include "scan/lockrelease.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/out.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* linux/pidfd.h, Linux 6.9 */
#endif
#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37 /* asm-generic/fcntl.h */
#endif

/* A file system may be dead: to close its file may then take for ever. */
#define PATIENCE 5000 /* ms */

/* Whether a descriptor of this process holds the lock. 1, 0 or -errno. */
static int holds(int fd, const struct lock_line *line)
{
	_cleanup_(close_fd) int info = -1;
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = -1 };
	struct lock_line found;
	struct span text;
	char path[40];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	reader.fd = info;
	while ((r = line_reader_next(&reader, &text)) > 0)
		if (span_starts(text, "lock:") && lock_parse(span_from(text, 5), &found) == 0 &&
		    lock_same(&found, line))
			return 1;
	return r;
}

static int unlock(int fd, const struct lock_line *line)
{
	struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)line->start };
	int r;

	if (line->end != LOCK_EOF)
		range.l_len = (off_t)(line->end - line->start + 1);
	switch (line->type) {
	case LOCK_FLOCK:
		r = flock(fd, LOCK_UN);
		break;
	case LOCK_OFD:
		r = fcntl(fd, F_OFD_SETLK, &range);
		break;
	case LOCK_LEASE:
		r = fcntl(fd, F_SETLEASE, F_UNLCK);
		break;
	default:
		return -ENOTSUP;
	}
	return r < 0 ? -errno : 0;
}

/* In a process of its own, which may hang in the end. 0 or -errno. */
static int release(const struct snapshot *s, const struct holding *g, const struct lock_line *line)
{
	uint32_t pid = holding_holder(&s->holders, g)->pid;
	int process = (int)syscall(SYS_pidfd_open, g->tid ? g->tid : pid, g->tid ? PIDFD_THREAD : 0);
	int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, g->fd, 0);
	int r;

	if (fd < 0)
		return errno == ESRCH || errno == EBADF ? -ENOENT : -errno;
	r = holds(fd, line);
	if (r > 0)
		r = unlock(fd, line);
	else if (r == 0)
		r = -ENOENT;
	if (r == 0 && holds(fd, line) != 0)
		r = -EIO;
	return r;
}

/* What the child says, in time. */
static int hear(int from)
{
	struct pollfd poll_from = { .fd = from, .events = POLLIN };
	int said = -EIO, n;

	do
		n = poll(&poll_from, 1, PATIENCE);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	return read(from, &said, sizeof(said)) == (ssize_t)sizeof(said) ? said : -EIO;
}

int lock_release(const struct snapshot *s, const struct holding *g, const struct lock_line *line)
{
	int ends[2], r;
	pid_t child;

	if (!s->context->own_proc || !s->context->own_pids)
		return -ENOTSUP;
	if (g->fd < 0)
		return -ENOENT;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		r = release(s, g, line);
		_exit(write_all(ends[1], (const char *)&r, sizeof(r)) < 0);
	}
	r = child < 0 ? -errno : 0;
	close_fd(&ends[1]);
	if (child > 0) {
		r = hear(ends[0]);
		if (r == -ETIMEDOUT)
			kill(child, SIGKILL); /* which it may never get */
		else
			waitpid(child, NULL, 0);
	}
	close_fd(&ends[0]);
	return r;
}
