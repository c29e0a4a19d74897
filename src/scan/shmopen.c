/* SPDX-License-Identifier: MIT */
/* Opening what lies in /dev/shm: no link followed, nothing disturbed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <time.h>

#include "lib/file.h"
#include "scan/shmtree.h"

static bool is_dots(struct span s)
{
	return span_is(s, ".") || span_is(s, "..");
}

int shmtree_open_parent(const struct shmtree *t, struct span path, const char **leaf)
{
	int fd = openat(t->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	*leaf = path.ptr;
	if (memchr(path.ptr, '\0', path.len))
		goto invalid;
	while (fd >= 0) {
		const char *slash = memchr(path.ptr, '/', path.len);
		struct span part = { path.ptr, slash ? (size_t)(slash - path.ptr) : path.len };
		char name[NAME_MAX + 1];
		struct stat st;
		int next;

		if (part.len == 0 || part.len > NAME_MAX || is_dots(part))
			goto invalid;
		if (!slash) {
			*leaf = path.ptr;
			return fd;
		}
		memcpy(name, part.ptr, part.len);
		name[part.len] = '\0';
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_fd(&fd);
		if (next >= 0 && (fstat(next, &st) < 0 || st.st_dev != t->dev)) {
			close_fd(&next);
			return -EXDEV;
		}
		fd = next;
		path = span_from(path, part.len + 1);
	}
	return -errno;
invalid:
	close_fd(&fd);
	return -EINVAL;
}

static int compare_identity(const struct stat *st, const struct shm_entry *e)
{
	return st->st_dev == e->dev && st->st_ino == e->ino && (st->st_mode & S_IFMT) == (e->mode & S_IFMT) ?
		       0 :
		       -ESTALE;
}

int shmtree_check(int parent, const char *leaf, const struct shm_entry *e)
{
	struct stat st;

	if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	return compare_identity(&st, e);
}

#define OPEN_QUIETLY (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)

/*
 * Whether read(2) would move the access time of a file that could not be opened
 * with O_NOATIME. With relatime it moves if it is not newer than the other times,
 * or a day old (relatime_need_update() in fs/inode.c); an hour less, to be sure.
 */
static bool moves_atime(int fd, const struct stat *st)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return true;
	if (fs.f_flag & ST_NOATIME)
		return false;
	return !(fs.f_flag & ST_RELATIME) || st->st_atim.tv_sec <= st->st_mtim.tv_sec ||
	       st->st_atim.tv_sec <= st->st_ctim.tv_sec ||
	       time(NULL) - st->st_atim.tv_sec > (time_t)23 * 3600;
}

int shmtree_open_file(const struct shmtree *t, const struct shm_entry *e)
{
	const char *leaf;
	_cleanup_(close_fd) int parent = shmtree_open_parent(t, e->path, &leaf);
	bool unprotected;
	struct stat st;
	int fd, r;

	if (parent < 0)
		return parent;
	r = shmtree_check(parent, leaf, e);
	if (r == 0 && !S_ISREG(e->mode))
		r = -EINVAL;
	if (r < 0)
		return r;
	fd = openat(parent, leaf, OPEN_QUIETLY | O_NOATIME);
	unprotected = fd < 0 && errno == EPERM;
	if (unprotected)
		fd = openat(parent, leaf, OPEN_QUIETLY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else
		r = compare_identity(&st, e);
	if (r == 0 && unprotected && moves_atime(fd, &st))
		r = -EPERM;
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	return fd;
}

bool shm_entry_is_semaphore(const struct shm_entry *e)
{
	return span_starts(e->path, "sem.") && e->path.len > 4 && !memchr(e->path.ptr, '/', e->path.len);
}

bool shm_entry_reads_as_semaphore(const struct shm_entry *e)
{
	return shm_entry_is_semaphore(e) || (e->maybe_musl && semaphore_is_musl(&e->semaphore) &&
					     (e->semaphore.value || e->semaphore.waiters));
}

int shmtree_read_semaphore(const struct shmtree *t, const struct shm_entry *e, struct semaphore *out)
{
	_cleanup_(close_fd) int fd = shmtree_open_file(t, e);
	_cleanup_(buf_free) struct buf bytes = { 0 };
	int r = fd < 0 ? fd : pread_into(fd, 0, SEMAPHORE_SIZE_64 + 1, &bytes);

	if (r == 0)
		semaphore_decode(buf_span(&bytes), out);
	return r;
}
