/* SPDX-License-Identifier: MIT */
#include "scan/mqueuemount.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/mountinfo.h"

#define MQUEUE_MAGIC 0x19800202u /* ipc/mqueue.c */

/* linux/mount.h clashes with sys/mount.h in places; these numbers are the kernel's ABI. */
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
enum {
	IPCCTL_FSOPEN_CLOEXEC = 1,
	IPCCTL_FSCONFIG_CMD_CREATE = 6,
	IPCCTL_FSMOUNT_CLOEXEC = 1,
	IPCCTL_MOUNT_ATTR_NOATIME = 0x10
};

/* A directory descriptor of the mqueue file system, mounted nowhere. */
static int open_detached(void)
{
	_cleanup_(close_fd) int context = (int)syscall(SYS_fsopen, "mqueue", IPCCTL_FSOPEN_CLOEXEC);
	_cleanup_(close_fd) int mount = -1;
	int fd;

	if (context < 0 || syscall(SYS_fsconfig, context, IPCCTL_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = (int)syscall(SYS_fsmount, context, IPCCTL_FSMOUNT_CLOEXEC, IPCCTL_MOUNT_ATTR_NOATIME);
	if (mount < 0)
		return -errno;
	fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum ours { NOT_OURS, OURS, PERHAPS_OURS };

/* Mounts it where nobody else sees it and takes a descriptor of it along. */
static void *mount_aside(void *result)
{
	int *fd = result;

	*fd = -1;
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, "") == 0 &&
	    mount("mqueue", "/dev", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, "") == 0)
		*fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		*fd = -errno;
	return NULL;
}

/*
 * The same on kernels before 5.2, which have no fsopen(2): a thread of its own gets a
 * mount namespace of its own; descriptors it shares with us.
 */
static int open_aside(void)
{
	pthread_t thread;
	int fd, r;

	r = pthread_create(&thread, NULL, mount_aside, &fd);
	if (r != 0)
		return -r;
	pthread_join(thread, NULL);
	return fd;
}

/* Whether a queue stands in the directory all the time while mq_open(2) knows none
 * of that name. Queues that come and go have other inode numbers. */
static bool differs(int dir, const char *name)
{
	struct stat before, after;
	int fd;

	if (fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	fd = (int)syscall(SYS_mq_open, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, NULL);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ENOENT && fstatat(dir, name, &after, AT_SYMLINK_NOFOLLOW) == 0 &&
	       after.st_ino == before.st_ino;
}

/*
 * Whether a mounted mqueue file system is that of this IPC namespace, as far as
 * can be told: one of its queues must exist here under the same identity. An
 * empty one tells nothing, nor one whose queues may not be opened.
 */
static enum ours is_ours(int dir)
{
	_cleanup_(close_fd) int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(dir_reader_free) struct dir_reader reader = { .fd = copy };
	enum ours ours = PERHAPS_OURS;
	const char *name;

	while (ours == PERHAPS_OURS && dir_reader_next(&reader, &name) > 0) {
		struct stat here, there;
		/* The raw call takes the name without slash, and any name. */
		int fd = (int)syscall(SYS_mq_open, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, NULL);

		if (fd < 0 && errno == ENOENT) {
			if (differs(dir, name))
				ours = NOT_OURS;
			continue;
		}
		if (fd < 0)
			continue;
		/* One device is one IPC namespace. */
		if (fstat(fd, &here) == 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0)
			ours = here.st_dev == there.st_dev ? OURS : NOT_OURS;
		close_fd(&fd);
	}
	return ours;
}

int mqueue_open_mounted(int proc, bool *uncertain)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, line;
	int r = read_file_at(proc, "self/mountinfo", &text);

	if (r < 0)
		return r;
	rest = buf_span(&text);
	while (next_line(&rest, &line)) {
		_cleanup_(buf_free) struct buf path = { 0 };
		struct mount_line mount;
		struct statfs fs;
		int fd;

		if (mountinfo_parse(line, &mount) < 0 || !span_is(mount.fstype, "mqueue"))
			continue;
		mountinfo_unescape(mount.target, &path);
		if (!buf_cstr(&path))
			return -ENOMEM;
		fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		/* Something else may be mounted over it. */
		if (fd >= 0 && fstatfs(fd, &fs) == 0 && (unsigned)fs.f_type == MQUEUE_MAGIC) {
			enum ours ours = is_ours(fd);

			*uncertain = ours == PERHAPS_OURS;
			if (ours != NOT_OURS)
				return fd;
		}
		close_fd(&fd);
	}
	return -ENOENT;
}

int mqueue_open_detached(void)
{
	int fd = open_detached();

	return fd == -ENOSYS ? open_aside() : fd;
}
