/* SPDX-License-Identifier: MIT */
#include "scan/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"

/* The error of an openat(2) that was to follow no link: O_DIRECTORY hides what was in the way. */
static int refused(int parent, const char *name, int error)
{
	struct stat st;

	if (error == ENOTDIR && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return -ELOOP;
	return -error;
}

/*
 * Component by component: openat2(2) would do it at one go, but is younger than the oldest kernel that must
 * do. *last points into path. A descriptor of
 * the directory that the last component is in, or -errno.
 */
static int open_parent(int root, const char *path, const char **last)
{
	int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	*last = path;
	for (;;) {
		const char *slash = strchrnul(path, '/');
		size_t n = (size_t)(slash - path);
		_cleanup_(close_fd) int parent = at;
		char name[NAME_MAX + 1];

		if (parent < 0)
			return -errno;
		if (n == 0 || n > NAME_MAX || (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))))
			return -EINVAL;
		if (!*slash) {
			*last = path;
			return take_fd(&parent);
		}
		memcpy(name, path, n);
		name[n] = '\0';
		at = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (at < 0)
			return refused(parent, name, errno);
		path = slash + 1;
	}
}

static int open_stepwise(int root, const char *path, int flags)
{
	const char *last;
	_cleanup_(close_fd) int parent = open_parent(root, path + strspn(path, "/"), &last);
	struct stat st;
	int fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, last, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return refused(parent, last, errno);
	/* O_PATH opens the link itself. */
	if (flags & O_PATH && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
		close_fd(&fd);
		return -ELOOP;
	}
	return fd;
}

int beneath_open(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
			   .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	/* Containers refuse calls that they do not know with EPERM. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_stepwise(root, path, flags);
	return fd < 0 ? -errno : fd;
}

int beneath_open_directory(int root, const char *path)
{
	const char *last;
	_cleanup_(close_fd) int parent = open_parent(root, path, &last);
	int fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int judge(const struct stat *st, size_t max)
{
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	if (st->st_uid != 0)
		return -EPERM;
	return (uint64_t)st->st_size > max ? -EFBIG : 0;
}

int beneath_read(int root, const char *path, size_t max, struct buf *out)
{
	const char *last;
	_cleanup_(close_fd) int parent = open_parent(root, path, &last);
	_cleanup_(close_fd) int fd = -1;
	size_t before = out->len;
	struct stat st;
	int r;

	if (parent < 0)
		return parent;
	/* Before it is opened, which alone may have effects if it is a device; and again after it. */
	if (fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = judge(&st, max);
	if (r < 0)
		return r;
	fd = openat(parent, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = judge(&st, max);
	if (r == 0)
		r = pread_into(fd, 0, max + 1, out);
	return r == 0 && out->len - before > max ? -EFBIG : r;
}
