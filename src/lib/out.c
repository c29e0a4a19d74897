/* SPDX-License-Identifier: MIT */
#include "lib/out.h"

#include <errno.h>
#include <poll.h>

#define FLUSH_AT ((size_t)64 << 10)

int write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, data, n);

		if (w >= 0) {
			data += w;
			n -= (size_t)w;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -errno;
		/* Somebody else made the shared description non-blocking. */
		if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1) < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

void out_init(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd };
}

struct buf *out_buf(struct out *o)
{
	return &o->buf;
}

int out_reserve(struct out *o)
{
	return buf_reserve(&o->buf, 2 * FLUSH_AT) ? 0 : -ENOMEM;
}

int out_flush(struct out *o)
{
	if (!o->error && o->buf.failed)
		o->error = -ENOMEM;
	if (!o->error)
		o->error = write_all(o->fd, o->buf.data, o->buf.len);
	buf_reset(&o->buf);
	return o->error;
}

void out_write(struct out *o, struct span text)
{
	if (out_flush(o) == 0)
		o->error = write_all(o->fd, text.ptr, text.len);
}

int out_flush_if_full(struct out *o)
{
	if (o->buf.len >= FLUSH_AT || o->buf.failed)
		return out_flush(o);
	return o->error;
}

int out_finish(struct out *o)
{
	int r = out_flush(o);

	buf_free(&o->buf);
	return r;
}
