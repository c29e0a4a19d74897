/* SPDX-License-Identifier: MIT */
#include "scan/cached.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define MOST_TRIES 8

/* A descriptor (O_PATH), or -errno; -EAGAIN: the kernel would have to ask, or is too old. */
static int open_cached(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = -1;

	/* A rename or mount elsewhere disturbs the look-up, too. */
	for (int tries = 0; fd < 0 && tries < MOST_TRIES && (tries == 0 || errno == EAGAIN); tries++)
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	/* Old seccomp profiles refuse what they do not know with EPERM. */
	if (fd < 0)
		return errno == ENOSYS || errno == EINVAL || errno == EPERM ? -EAGAIN : -errno;
	return fd;
}

int lookup_cached(int dir, const char *path, bool in_root, bool final, struct statx *stx)
{
	_cleanup_(close_fd) int fd =
		open_cached(dir, path, final ? 0 : O_NOFOLLOW, in_root ? RESOLVE_IN_ROOT : 0);

	if (fd < 0)
		return fd;
	return statx_at(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, stx);
}

int lookup_cached_place(int dir, const char *path, bool in_root, struct statx *stx, struct buf *place)
{
	_cleanup_(close_fd) int fd = open_cached(dir, path, 0, in_root ? RESOLVE_IN_ROOT : 0);
	char link[40], *text = buf_reserve(place, PATH_MAX);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (!text)
		return -ENOMEM;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, PATH_MAX);
	if (n > 0)
		place->len += (size_t)n;
	return statx_at(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, stx);
}

static bool is_on(const struct statx *stx, const uint64_t *devices, size_t ndevices)
{
	for (size_t i = 0; i < ndevices; i++)
		if (devices[i] == makedev(stx->stx_dev_major, stx->stx_dev_minor))
			return true;
	return false;
}

static void leave(struct lookup_place *p)
{
	if (p->there)
		close_fd(&p->fd);
	p->there = false;
}

/* Goes to another directory. 0 or -errno; then it is at none. */
static int move(struct lookup_place *p, struct span directory, const uint64_t *devices, size_t ndevices)
{
	struct statx stx;
	int r;

	leave(p);
	buf_reset(&p->path);
	buf_put_span(&p->path, directory);
	buf_putc(&p->path, '\0');
	if (p->path.failed)
		return -ENOMEM;
	p->fd = open_cached(AT_FDCWD, directory.len ? p->path.data : "/", O_DIRECTORY, 0);
	if (p->fd < 0)
		return p->fd;
	p->there = true;
	r = statx_at(p->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stx);
	if (r == 0 && !is_on(&stx, devices, ndevices))
		r = -EAGAIN;
	if (r < 0)
		leave(p);
	return r;
}

int lookup_in_place(struct lookup_place *p, struct span path, const uint64_t *devices, size_t ndevices,
		    struct statx *stx)
{
	const char *slash = memrchr(path.ptr, '/', path.len);
	struct span directory = { path.ptr, slash ? (size_t)(slash - path.ptr) : 0 }, leaf;
	char name[NAME_MAX + 1];
	int r = 0;

	if (!slash || path.ptr[0] != '/')
		return -EINVAL;
	leaf = span_from(path, directory.len + 1);
	if (leaf.len == 0 || leaf.len > NAME_MAX)
		return -EINVAL;
	if (p->path.len != directory.len + 1 || memcmp(p->path.data, directory.ptr, directory.len) != 0)
		r = move(p, directory, devices, ndevices);
	if (r < 0 || !p->there)
		return r < 0 ? r : -EAGAIN;
	memcpy(name, leaf.ptr, leaf.len);
	name[leaf.len] = '\0';
	return statx_at(p->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			STATX_TYPE | STATX_INO, stx);
}

void lookup_place_free(struct lookup_place *p)
{
	leave(p);
	buf_free(&p->path);
}
