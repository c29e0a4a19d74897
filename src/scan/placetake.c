/* SPDX-License-Identifier: MIT */
#include "scan/placetake.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "scan/placelook.h"
#include "scan/sources.h"

/* Children at work at a time: more than processors, for some may wait. */
#define TOGETHER 8
/* Milliseconds that a place may take once that many did not answer: whoever made those can make thousands. */
#define LITTLE_TIME 200

/* A child, and what it has said so far. */
struct visitor {
	struct place *place; /* NULL: none is at work here */
	pid_t pid;
	int fd;
	int64_t end; /* milliseconds of CLOCK_MONOTONIC */
	struct buf text;
	int given[GIVEN];
	size_t ngiven;
};

struct taking {
	struct places *places;
	const struct scan_context *context;
	const struct scan_request *request;
	unsigned sources;
	struct warnings *warnings;
	struct visitor visitors[TOGETHER];
	size_t silent; /* places that did not answer in time */
};

/* Sends a child to the next place. 0 or -errno: nobody could be sent. */
static int begin(struct taking *t, struct visitor *v, struct place *place)
{
	pid_t parent = getpid();
	int fds[2];

	*v = (struct visitor){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	v->pid = fork();
	if (v->pid == 0)
		place_look(place, t->context, t->request, t->sources, fds[1], parent);
	close_fd(&fds[1]);
	if (v->pid < 0) {
		int e = -errno;

		close_fd(&fds[0]);
		return e;
	}
	v->fd = fds[0];
	v->place = place;
	v->end = milliseconds() + (t->silent < TOGETHER ? PLACE_SECONDS * 1000 : LITTLE_TIME);
	return 0;
}

static void take_descriptors(struct visitor *v, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n = c->cmsg_len > CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (v->ngiven < GIVEN)
				v->given[v->ngiven++] = fd;
			else
				close_fd(&fd);
		}
	}
}

/* What has come by now. 1: there may be more, 0: that was all, or -errno. */
static int receive(struct visitor *v)
{
	const size_t chunk = (size_t)64 << 10;
	union {
		char space[CMSG_SPACE(sizeof(int[GIVEN]))];
		struct cmsghdr align;
	} control;
	char *p = buf_reserve(&v->text, chunk);
	struct iovec io = { p, chunk };
	struct msghdr message = { .msg_iov = &io,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control) };
	ssize_t n;

	if (!p)
		return -ENOMEM;
	n = recvmsg(v->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	take_descriptors(v, &message);
	v->text.len += (size_t)n;
	/* Too few descriptors are left for what was given. */
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : n > 0;
}

static void fail(struct place *place, int error)
{
	for (size_t part = 0; part < PLACE_PARTS; part++)
		place->parts[part].error = place->parts[part].ino ? error : 0;
}

/* The rows of one table out of the text. 0 or -errno. */
static int take_rows(struct place *place, enum sysv_kind kind, const struct place_answer *a,
		     struct span *rest)
{
	struct sysv_table *table = &place->sysv[kind];
	size_t size = sysv_row_size(kind), n = (size_t)a->tables[kind].count * size;

	*table = (struct sysv_table){ .kind = kind,
				      .columns = a->tables[kind].columns,
				      .from_stat = a->tables[kind].from_stat,
				      .bad_rows = a->tables[kind].bad_rows };
	if (n > rest->len)
		return -EIO;
	if (n > 0) {
		table->rows = malloc(n);
		if (!table->rows)
			return -ENOMEM;
		memcpy(table->rows, rest->ptr, n);
		table->count = (size_t)a->tables[kind].count;
	}
	*rest = span_from(*rest, n);
	return 0;
}

/* What came of /dev/shm, the last that a child tells. 0 or -errno, which else is `error`. */
static int take_shm(struct place *place, struct span rest, int fd, int error)
{
	int32_t told;

	if (place->parts[PLACE_SHM].ino == 0)
		return 0;
	if (rest.len == sizeof(told)) {
		memcpy(&told, rest.ptr, sizeof(told));
		error = told < 0 ? told : fd < 0 ? -EIO : 0;
	}
	return error < 0 ? error : shmtree_adopt(&place->shm, fd);
}

/* Takes over what a child said; error: why it did not go on. 0 or -ENOMEM. */
static int take_answer(struct taking *t, struct visitor *v, int error)
{
	struct place *place = v->place;
	struct span rest = buf_span(&v->text);
	int fds[GIVEN] = { -1, -1, -1, -1 }, r = 0;
	struct place_answer a;
	size_t next = 0;

	if (rest.len < sizeof(a)) {
		fail(place, error);
		return 0;
	}
	memcpy(&a, rest.ptr, sizeof(a));
	rest = span_from(rest, sizeof(a));
	for (size_t i = 0; i < GIVEN; i++)
		if ((a.given[i] || i == GIVEN_SHM) && next < v->ngiven)
			fds[i] = v->given[next++];
	for (size_t part = 0; part < PLACE_PARTS; part++)
		place->parts[part].error = a.errors[part] < 0 ? a.errors[part] : 0;
	place->ipc = fds[GIVEN_IPC];
	place->diag = fds[GIVEN_DIAG];
	for (enum sysv_kind kind = SYSV_SHM; r == 0 && kind <= SYSV_MSG; kind++) {
		r = take_rows(place, kind, &a, &rest);
		if (a.tables[kind].error < 0)
			source_sysv_warn(kind, a.tables[kind].error, a.tables[kind].bad_rows, t->warnings);
	}
	if (r == 0 && fds[GIVEN_QUEUES] >= 0)
		r = mqueue_adopt(&place->queues, fds[GIVEN_QUEUES], &t->request->queue_names);
	else if (a.queues < 0)
		source_mqueue_warn(a.queues, false, t->warnings);
	if (r == 0)
		place->parts[PLACE_SHM].error = take_shm(place, rest, fds[GIVEN_SHM], error);
	if (r == -EIO) {
		fail(place, r);
		r = 0;
	}
	return r == -ENOMEM ? r : 0;
}

/* A child has ended, or has to. 0 or -ENOMEM. */
static int end(struct taking *t, struct visitor *v, int error)
{
	int r = 0, status;

	close_fd(&v->fd);
	if (error < 0)
		kill(v->pid, SIGKILL);
	t->silent += error == -ETIMEDOUT;
	if (error < 0 && error != -ETIMEDOUT) {
		for (size_t i = 0; i < v->ngiven; i++)
			close_fd(&v->given[i]);
		fail(v->place, error);
	} else {
		r = take_answer(t, v, error < 0 ? error : -EIO);
	}
	/* One that hangs in the kernel is left to init. */
	while (waitpid(v->pid, &status, error == -ETIMEDOUT ? WNOHANG : 0) < 0 && errno == EINTR)
		continue;
	buf_free(&v->text);
	*v = (struct visitor){ .fd = -1 };
	return r < 0 ? r : error == -ENOMEM ? -ENOMEM : 0;
}

/* Waits until some child says something, and hears all. 0 or -ENOMEM. */
static int attend(struct taking *t)
{
	struct pollfd wait[TOGETHER];
	int64_t now = milliseconds(), first = INT64_MAX;
	int r = 0;

	for (size_t i = 0; i < TOGETHER; i++) {
		wait[i] = (struct pollfd){ t->visitors[i].place ? t->visitors[i].fd : -1, POLLIN, 0 };
		if (t->visitors[i].place && t->visitors[i].end < first)
			first = t->visitors[i].end;
	}
	if (first == INT64_MAX)
		return 0;
	if (poll(wait, TOGETHER, first > now ? (int)(first - now) : 0) < 0 && errno != EINTR)
		return -ENOMEM;
	now = milliseconds();
	for (size_t i = 0; r == 0 && i < TOGETHER; i++) {
		struct visitor *v = &t->visitors[i];
		int more = !v->place ? 1 : wait[i].revents ? receive(v) : now >= v->end ? -ETIMEDOUT : 1;

		if (v->place && more <= 0)
			r = end(t, v, more);
	}
	return r;
}

/* A visitor who is free, or NULL. */
static struct visitor *idle(struct taking *t)
{
	for (size_t i = 0; i < TOGETHER; i++)
		if (!t->visitors[i].place)
			return &t->visitors[i];
	return NULL;
}

static bool busy(const struct taking *t)
{
	for (size_t i = 0; i < TOGETHER; i++)
		if (t->visitors[i].place)
			return true;
	return false;
}

int places_take(struct places *places, const struct scan_context *context, const struct scan_request *request,
		unsigned sources, struct warnings *warnings)
{
	struct taking *t = calloc(1, sizeof(*t));
	size_t next = 0;
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->places = places;
	t->context = context;
	t->request = request;
	t->sources = sources;
	t->warnings = warnings;
	while (r == 0 && (next < places->count || busy(t))) {
		struct visitor *v;

		while (r == 0 && next < places->count && (v = idle(t)) != NULL) {
			int e = begin(t, v, &places->items[next]);

			if (e < 0)
				fail(&places->items[next], e);
			next++;
		}
		if (r == 0)
			r = attend(t);
	}
	for (size_t i = 0; i < TOGETHER; i++)
		if (t->visitors[i].place)
			(void)!end(t, &t->visitors[i], -EINTR);
	free(t);
	return r;
}
