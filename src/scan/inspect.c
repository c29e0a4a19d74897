/* SPDX-License-Identifier: MIT */
#include "scan/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "scan/fdinfo.h"
#include "scan/terminals.h"
#include "scan/visit.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* linux/pidfd.h, Linux 6.9 */
#endif

/*
 * How many holdings of one object are asked: of those that refuse a few are enough; those
 * that are gone meanwhile are passed over, but not without end.
 */
enum { MOST_REFUSED = 16, MOST_GONE = 1000 };

/* What has come of asking them one after the other. */
struct asking {
	int error; /* of the last that refused, or -ENOENT */
	unsigned refused, gone;
};

/* Notes what one said: whether the next is to be asked. */
static bool ask_on(struct asking *a, int error)
{
	if (error == -ENOENT) {
		a->gone++;
	} else {
		a->refused++;
		a->error = error;
	}
	if (a->gone >= MOST_GONE && a->error == -ENOENT)
		a->error = -EAGAIN;
	return a->refused < MOST_REFUSED && a->gone < MOST_GONE;
}

/* The link of /proc that a holding is, below proc. */
static void link_path(const struct snapshot *s, const struct holding *g, char *path, size_t size)
{
	const struct range *range = holding_range(&s->holders, g);
	uint32_t pid = holding_holder(&s->holders, g)->pid;

	if (range)
		snprintf(path, size, "%u/map_files/%llx-%llx", pid, (unsigned long long)range->start,
			 (unsigned long long)range->end);
	else if (g->tid)
		snprintf(path, size, "%u/task/%u/fd/%d", pid, g->tid, g->fd);
	else
		snprintf(path, size, "%u/fd/%d", pid, g->fd);
}

static bool is_terminal(const struct object_key *key, const struct statx *stx)
{
	if (!S_ISCHR(stx->stx_mode))
		return false;
	if (stx->stx_rdev_major == PTY_SLAVE_MAJOR)
		return stx->stx_rdev_minor == key->ino;
	return stx->stx_rdev_major == PTY_MASTER_MAJOR && stx->stx_rdev_minor == PTY_MASTER_MINOR;
}

/* Whether the link leads to the object now. 0 with *stx, -ENOENT, or -errno. */
static int leads_to(int dir, const char *path, const struct object_key *key, struct statx *stx)
{
	struct object_key found;
	char link[PATH_MAX];
	ssize_t n;
	int r = look_behind(dir, path, STATX_BASIC_STATS, stx);

	if (r < 0)
		return r == -ESRCH ? -ENOENT : r;
	found = file_key(key->class, stx);
	switch (key->class) {
	case OBJECT_PIPE:
	case OBJECT_SOCKET:
		/* Their file systems cannot be mounted: the text is the kernel's. */
		n = readlinkat(dir, path, link, sizeof(link));
		if (n < 0 && errno != ESRCH)
			return -errno;
		if (n < 0 || link[0] == '/' || !(S_ISFIFO(stx->stx_mode) || S_ISSOCK(stx->stx_mode)))
			return -ENOENT;
		return found.ino == key->ino ? 0 : -ENOENT;
	case OBJECT_EVENTFD:
		n = readlinkat(dir, path, link, sizeof(link));
		return n > 0 && span_is((struct span){ link, (size_t)n }, "anon_inode:[eventfd]") ? 0 :
												    -ENOENT;
	case OBJECT_PTY:
		return is_terminal(key, stx) ? 0 : -ENOENT;
	case OBJECT_FILE_MAPPING: /* statx(2) may tell another device than maps (btrfs, overlay) */
		return found.ino == key->ino ? 0 : -ENOENT;
	default:
		return found.dev == key->dev && found.ino == key->ino ? 0 : -ENOENT;
	}
}

static bool can_ask(const struct snapshot *s)
{
	return s->context->own_proc && s->context->own_pids;
}

int object_look(const struct snapshot *s, const struct holding *first, struct statx *stx)
{
	struct asking asking = { .error = -ENOENT };

	for (const struct holding *g = first; g; g = holding_next(&s->holders, g)) {
		struct object_key key = holding_key(g);
		char path[96];
		int r;

		link_path(s, g, path, sizeof(path));
		r = leads_to(s->context->proc, path, &key, stx);
		if (r == 0)
			return 0;
		/* Threads have no map_files: behind a dead leader nothing leads there. */
		if (!ask_on(&asking, r == -ENOENT && g->fd < 0 && g->tid ? -EACCES : r))
			break;
	}
	return asking.error;
}

/* A copy, whatever it is. */
static int copy(const struct snapshot *s, const struct holding *g)
{
	uint32_t pid = holding_holder(&s->holders, g)->pid;
	_cleanup_(close_fd) int process =
		(int)syscall(SYS_pidfd_open, g->tid ? g->tid : pid, g->tid ? PIDFD_THREAD : 0);
	int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, g->fd, 0);

	if (fd >= 0)
		return fd;
	/* Before Linux 6.9 a thread cannot be asked. */
	if (errno == EINVAL && g->tid)
		return -ENOSYS;
	return errno == ESRCH || errno == EBADF ? -ENOENT : -errno;
}

/*
 * Whether closing a copy cannot wait. What lies at a path may be a file of a dead FUSE, whose
 * last words (FLUSH) are waited for: such a one is left open, for the end of the process.
 */
static bool closes_at_once(const struct snapshot *s, const char *path)
{
	char link[16];
	ssize_t n = readlinkat(s->context->proc, path, link, sizeof(link));

	return n > 0 && link[0] != '/';
}

int descriptor_copy(const struct snapshot *s, const struct holding *g)
{
	struct object_key key = holding_key(g);
	char path[96];
	struct statx stx;
	int r, fd;

	if (!can_ask(s))
		return -ENOTSUP;
	if (g->fd < 0)
		return -ENOENT;
	link_path(s, g, path, sizeof(path));
	r = leads_to(s->context->proc, path, &key, &stx);
	if (r < 0)
		return r;
	fd = copy(s, g);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "self/fd/%d", fd);
	r = leads_to(s->context->proc, path, &key, &stx);
	if (r == 0)
		return fd;
	/* Its number was given to another file just now, or it cannot be told. */
	if (closes_at_once(s, path))
		close_fd(&fd);
	return r;
}

int object_copy(const struct snapshot *s, const struct holding *first, uint8_t access)
{
	struct asking asking = { .error = -ENOENT };

	for (const struct holding *g = first; g; g = holding_next(&s->holders, g)) {
		int fd;

		if (g->fd < 0 || (access && !(g->access & access)))
			continue;
		fd = descriptor_copy(s, g);
		if (fd >= 0)
			return fd;
		if (!ask_on(&asking, fd))
			break;
	}
	return asking.error;
}

/* One mapping's object, opened; -errno. */
static int open_mapped(const struct snapshot *s, const struct holding *g)
{
	struct object_key key = holding_key(g);
	_cleanup_(close_fd) int place = -1;
	struct statx stx;
	char path[96];
	int fd, r;

	link_path(s, g, path, sizeof(path));
	/* First the place alone, which waits for nothing; then what is known to be there. */
	place = openat(s->context->proc, path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	snprintf(path, sizeof(path), "self/fd/%d", place);
	r = leads_to(s->context->proc, path, &key, &stx);
	if (r < 0)
		return r;
	fd = openat(s->context->proc, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int object_open_mapped(const struct snapshot *s, const struct holding *first)
{
	struct asking asking = { .error = -ENOENT };

	if (!can_ask(s))
		return -ENOTSUP;
	for (const struct holding *g = first; g; g = holding_next(&s->holders, g)) {
		int fd = g->fd < 0 ? open_mapped(s, g) : -ENOENT;

		if (fd >= 0)
			return fd;
		if (g->fd < 0 && !ask_on(&asking, fd))
			break;
	}
	return asking.error;
}

/* Whether fdinfo is that of the object (0, -ENOENT, or -errno): the number of the descriptor may have been
 * given to another file. Before Linux 5.14 it does not tell the inode, but the link does. */
static int check_info(const struct snapshot *s, const struct holding *g, const struct fdinfo *info)
{
	struct object_key key = holding_key(g);
	struct statx stx;
	char path[96];
	uint64_t number;

	if (key.class == OBJECT_EVENTFD)
		return fdinfo_number(info, "eventfd-id:", &number) == 0 && number == key.ino ? 0 : -ENOENT;
	if (fdinfo_number(info, "ino:", &number) == 0 && number != key.ino)
		return -ENOENT;
	link_path(s, g, path, sizeof(path));
	return leads_to(s->context->proc, path, &key, &stx);
}

/* fdinfo of one descriptor. 0 or -errno. */
static int read_info(const struct snapshot *s, const struct holding *g, struct fdinfo *info)
{
	uint32_t pid = holding_holder(&s->holders, g)->pid;
	char table[48], name[12];
	int r;

	if (g->tid)
		snprintf(table, sizeof(table), "%u/task/%u", pid, g->tid);
	else
		snprintf(table, sizeof(table), "%u", pid);
	snprintf(name, sizeof(name), "%d", g->fd);
	r = fdinfo_read(info, s->context->proc, table, name);
	if (r == 0)
		r = check_info(s, g, info);
	return r == -ESRCH ? -ENOENT : r;
}

int object_fdinfo(const struct snapshot *s, const struct holding *first, struct fdinfo *info)
{
	struct asking asking = { .error = -ENOENT };

	for (const struct holding *g = first; g; g = holding_next(&s->holders, g)) {
		int r = g->fd < 0 ? -ENOENT : read_info(s, g, info);

		if (r == 0)
			return 0;
		if (g->fd >= 0 && !ask_on(&asking, r))
			break;
	}
	return asking.error;
}
