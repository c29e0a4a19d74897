/* SPDX-License-Identifier: MIT */
#include "scan/pollset.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/memory.h"

#define KCMP_EPOLL_TFD 7 /* linux/kcmp.h, Linux 4.13 */

struct kcmp_slot {
	uint32_t efd, tfd, toff;
};

static int each_polled(const struct scan_context *context, const struct task *task,
		       int (*found)(void *data, int fd), void *data)
{
	const size_t chunk = 64;
	struct pollfd fds[64];
	uint64_t count = task->args[1];
	int r = count > MOST_POLLED ? -E2BIG : 0;

	for (uint64_t at = 0; r == 0 && at < count; at += chunk) {
		size_t n = count - at < chunk ? (size_t)(count - at) : chunk;

		r = memory_read(context->proc, task->tid, task->args[0] + at * sizeof(fds[0]), fds,
				n * sizeof(fds[0]));
		for (size_t i = 0; r == 0 && i < n; i++)
			if (fds[i].fd >= 0)
				r = found(data, fds[i].fd);
	}
	return r;
}

/* Bits of one set; a set that was not given has none. 0 or -errno. */
static int read_set(const struct scan_context *context, const struct task *task, uint64_t address,
		    size_t words, unsigned long *set)
{
	return address ? memory_read(context->proc, task->tid, address, set, words * sizeof(*set)) : 0;
}

static int each_selected(const struct scan_context *context, const struct task *task,
			 int (*found)(void *data, int fd), void *data)
{
	enum { BITS = 8 * sizeof(unsigned long), WORDS = MOST_POLLED / BITS };
	unsigned long sets[3][WORDS] = { { 0 } };
	uint64_t count = task->args[0];
	size_t words = (size_t)((count + BITS - 1) / BITS);
	int r = count > MOST_POLLED ? -E2BIG : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++)
		r = read_set(context, task, task->args[1 + i], words, sets[i]);
	for (uint64_t fd = 0; r == 0 && fd < count; fd++)
		if ((sets[0][fd / BITS] | sets[1][fd / BITS] | sets[2][fd / BITS]) >> fd % BITS & 1)
			r = found(data, (int)fd);
	return r;
}

/*
 * Whether a number that an epoll instance was given still means the same file: it may have been
 * closed since, and given to another, while a copy keeps the first in the set. Where the kernel does
 * not tell, it is taken to.
 */
static bool is_registered(const struct task *task, int epoll, int fd)
{
	struct kcmp_slot slot = { .efd = (uint32_t)epoll, .tfd = (uint32_t)fd };
	long r = syscall(SYS_kcmp, task->tid, task->tid, KCMP_EPOLL_TFD, fd, &slot);

	return r == 0 || (r < 0 && errno != EBADF && errno != ENOENT);
}

/* "tfd:        5 events: 19 data: ..." */
static int each_registered(const struct scan_context *context, const struct task *task,
			   int (*found)(void *data, int fd), void *data)
{
	int epoll = (int)task->args[0];
	_cleanup_(close_fd) int info = -1;
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = -1 };
	struct span line, word;
	char path[60];
	uint64_t fd, count = 0;
	int r;

	snprintf(path, sizeof(path), "%u/task/%u/fdinfo/%d", task->pid, task->tid, epoll);
	info = openat(context->proc, path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	reader.fd = info;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		if (!span_starts(line, "tfd:"))
			continue;
		line = span_from(line, 4);
		if (!next_word(&line, &word) || parse_u64_in(word, 0, INT32_MAX, &fd) < 0)
			return -EBADMSG;
		if (count++ == MOST_POLLED)
			return -E2BIG;
		r = is_registered(task, epoll, (int)fd) ? found(data, (int)fd) : 0;
		if (r < 0)
			return r;
	}
	return r;
}

int pollset_each(const struct scan_context *context, const struct task *task,
		 int (*found)(void *data, int fd), void *data)
{
	if (task->flags & (TASK_FOREIGN | TASK_RESTARTED))
		return -EAGAIN;
	switch (task->wait) {
	case WAIT_POLL:
		return each_polled(context, task, found, data);
	case WAIT_SELECT:
		return each_selected(context, task, found, data);
	case WAIT_EPOLL:
		return each_registered(context, task, found, data);
	default:
		return -ENOTSUP;
	}
}
