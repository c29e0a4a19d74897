/* SPDX-License-Identifier: MIT */
#include "kind/pipe_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

const char *const pipe_ends_values[] = { "open", "no-reader", "no-writer", NULL };
const struct holding_roles pipe_roles = { "reader", "writer", "both", NULL, NULL };

/* Bytes go from those who write to those who read; who may do both has both ends. */
const struct channel pipe_channel = {
	.source = "writer", .sink = "reader", .queued = "queued", .capacity = "capacity"
};

/*
 * What the kernel says of the other end: its counts also know who is not to be seen here.
 * The reader of a FIFO that was opened with O_NONBLOCK before any writer sees no hang-up
 * (fifo_open() and pipe_poll() in fs/pipe.c), and nothing tells that it was.
 */
static void project_ends(struct projector *p, struct record *r, size_t field, const struct holding *first,
			 const struct holding_count *count)
{
	const struct snapshot *s = p->snapshot;
	uint8_t end = count->readers > 0 ? ACCESS_READ : ACCESS_WRITE;
	_cleanup_(close_fd) int fd = object_copy(s, first, end);
	struct pollfd poll_fd = { .fd = fd };

	if (fd < 0 || poll(&poll_fd, 1, 0) < 0)
		held_unreadable(p, r, field, field, fd < 0 ? fd : -errno);
	else if (poll_fd.revents & POLLHUP)
		record_text(r, field, "no-writer");
	else if (poll_fd.revents & POLLERR)
		record_text(r, field, "no-reader");
	else if (first->class == OBJECT_FIFO && end == ACCESS_READ && count->writers == 0)
		record_unknown_why(r, field, WHY_NO_WRITER);
	else
		record_text(r, field, "open");
}

/* pipe(2) marks the end that is written to, and no other. */
static void project_packet(struct projector *p, struct record *r, size_t field, const struct holding *first)
{
	_cleanup_(close_fd) int fd = object_copy(p->snapshot, first, ACCESS_WRITE);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0)
		record_bool(r, field, flags & O_DIRECT);
	else if (fd == -ENOENT)
		record_unknown_why(r, field, WHY_NO_WRITER);
	else
		held_unreadable(p, r, field, field, fd < 0 ? fd : -errno);
}

/* A copy is held for a few calls: while it is there, the other side sees no end. */
static int project_queue(struct projector *p, struct record *r, const struct pipe_fields *at,
			 const struct holding *first)
{
	/* Descriptors opened with O_PATH reach no data, and are open for nothing. */
	_cleanup_(close_fd) int fd = object_copy(p->snapshot, first, ACCESS_READ | ACCESS_WRITE);
	int queued = 0, capacity;

	if (fd < 0)
		return held_unreadable(p, r, at->queued, at->capacity, fd);
	capacity = fcntl(fd, F_GETPIPE_SZ);
	if (capacity < 0 || ioctl(fd, FIONREAD, &queued) < 0)
		return held_unreadable(p, r, at->queued, at->capacity, -errno);
	record_u64(r, at->queued, (uint64_t)queued);
	record_u64(r, at->capacity, (uint64_t)capacity);
	return 0;
}

int pipe_project(struct projector *p, struct record *r, const struct pipe_fields *at,
		 const struct holding *first, const struct holding_count *count)
{
	if (p->snapshot->sources & SOURCE_ACCESS) {
		record_found_number(r, at->readers, count->readers, count);
		record_found_number(r, at->writers, count->writers, count);
	}
	if (!first || (count->readers == 0 && count->writers == 0))
		return 0;
	if (wants(p->want, at->ends))
		project_ends(p, r, at->ends, first, count);
	if (wants(p->want, at->packet))
		project_packet(p, r, at->packet, first);
	if (!wants_any(p->want, at->queued, at->capacity))
		return 0;
	return project_queue(p, r, at, first);
}
