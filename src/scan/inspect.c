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

/* Of an object that a thousand processes hold it is enough to ask a few. */
#define MOST_ASKED 16

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
	int worst = -ENOENT, asked = 0;

	for (const struct holding *g = first; g && asked < MOST_ASKED;
	     g = holding_next(&s->holders, g), asked++) {
		struct object_key key = holding_key(g);
		char path[96];
		int r;

		link_path(s, g, path, sizeof(path));
		r = leads_to(s->context->proc, path, &key, stx);
		if (r == 0)
			return 0;
		/* Threads have no map_files: behind a dead leader nothing leads there. */
		if (r == -ENOENT && g->fd < 0 && g->tid)
			r = -EACCES;
		if (r != -ENOENT)
			worst = r;
	}
	return worst;
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
	return errno == ESRCH || errno == EBADF ? -ENOENT : -errno;
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
	if (leads_to(s->context->proc, path, &key, &stx) == 0)
		return fd;
	/* Its number was given to another file just now. What that is nobody knows, and to
	 * close it may take for ever (FLUSH of a dead FUSE): it is left to the end of the process. */
	return -ENOENT;
}

int object_copy(const struct snapshot *s, const struct holding *first, uint8_t access)
{
	int worst = -ENOENT, asked = 0;

	for (const struct holding *g = first; g && asked < MOST_ASKED; g = holding_next(&s->holders, g)) {
		int fd;

		if (g->fd < 0 || (access && !(g->access & access)))
			continue;
		fd = descriptor_copy(s, g);
		if (fd >= 0)
			return fd;
		if (fd != -ENOENT)
			worst = fd;
		asked++;
	}
	return worst;
}

int object_open_mapped(const struct snapshot *s, const struct holding *first)
{
	int worst = -ENOENT, asked = 0;

	if (!can_ask(s))
		return -ENOTSUP;
	for (const struct holding *g = first; g && asked < MOST_ASKED; g = holding_next(&s->holders, g)) {
		struct object_key key = holding_key(g);
		_cleanup_(close_fd) int place = -1;
		struct statx stx;
		char path[96];
		int fd;

		if (g->fd >= 0)
			continue;
		asked++;
		link_path(s, g, path, sizeof(path));
		/* First the place alone, which waits for nothing; then what is known to be there. */
		place = openat(s->context->proc, path, O_PATH | O_CLOEXEC);
		if (place < 0) {
			worst = errno == ENOENT || errno == ESRCH ? worst : -errno;
			continue;
		}
		snprintf(path, sizeof(path), "self/fd/%d", place);
		if (leads_to(s->context->proc, path, &key, &stx) < 0)
			continue;
		fd = openat(s->context->proc, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		worst = -errno;
	}
	return worst;
}

int object_fdinfo(const struct snapshot *s, const struct holding *first, struct fdinfo *info)
{
	int worst = -ENOENT, asked = 0;

	for (const struct holding *g = first; g && asked < MOST_ASKED; g = holding_next(&s->holders, g)) {
		char table[48], name[12];
		uint32_t pid = holding_holder(&s->holders, g)->pid;
		int r;

		if (g->fd < 0)
			continue;
		if (g->tid)
			snprintf(table, sizeof(table), "%u/task/%u", pid, g->tid);
		else
			snprintf(table, sizeof(table), "%u", pid);
		snprintf(name, sizeof(name), "%d", g->fd);
		r = fdinfo_read(info, s->context->proc, table, name);
		if (r == 0)
			return 0;
		if (r != -ENOENT && r != -ESRCH)
			worst = r;
		asked++;
	}
	return worst;
}
