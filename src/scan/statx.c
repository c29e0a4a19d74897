/* SPDX-License-Identifier: MIT */
#include "scan/statx.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "scan/fdinfo.h"
#include "scan/mountinfo.h"

#define OF_LOOKUP (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)
/* Behind the device, in the kernel's structure. */
#define OFFSET_OF_MOUNT (offsetof(struct statx, stx_dev_minor) + sizeof(uint32_t))

_Static_assert(OFFSET_OF_MOUNT == 144 && sizeof(struct statx) >= 256, "the kernel's structure");

bool statx_mount(const struct statx *stx, uint64_t *number)
{
	memcpy(number, (const char *)stx + OFFSET_OF_MOUNT, sizeof(*number));
	return stx->stx_mask & STATX_MNT_ID;
}

/* The mount that a descriptor of ours is on. 0 or -errno. */
static int mount_of(int fd, uint64_t *number)
{
	struct fdinfo info;
	char name[12];
	int r;

	snprintf(name, sizeof(name), "%d", fd);
	r = fdinfo_read_own(&info, name);
	return r < 0 ? r : fdinfo_number(&info, "mnt_id:", number);
}

/* Whether what an O_PATH descriptor leads to answers at once. Of a mount that we do not see, such as that
 * of memfds, nothing is known. */
static bool answers(int fd, uint64_t mount)
{
	struct mounts mounts = { 0 };
	char path[40], first;
	const struct mount *found;
	bool quick;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* "pipe:[1]": no file has such a path. */
	if (readlink(path, &first, 1) == 1 && first != '/')
		return true;
	if (mounts_read(&mounts) < 0)
		return false;
	found = mounts_find(&mounts, mount);
	quick = found && found->flags & (MOUNT_LOCAL | MOUNT_STACKED | MOUNT_KERNELS);
	mounts_free(&mounts);
	return quick;
}

static void fill(struct statx *stx, const struct stat *st)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st->st_blksize,
		.stx_nlink = (uint32_t)st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t)st->st_size,
		.stx_blocks = (uint64_t)st->st_blocks,
		.stx_atime = { .tv_sec = st->st_atim.tv_sec, .tv_nsec = (uint32_t)st->st_atim.tv_nsec },
		.stx_mtime = { .tv_sec = st->st_mtim.tv_sec, .tv_nsec = (uint32_t)st->st_mtim.tv_nsec },
		.stx_ctime = { .tv_sec = st->st_ctim.tv_sec, .tv_nsec = (uint32_t)st->st_ctim.tv_nsec },
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_dev_major = major(st->st_dev),
		.stx_dev_minor = minor(st->st_dev),
	};
}

/* What the call would tell, of a file that answers at once. -EOPNOTSUPP: it may not. */
static int ask_quietly(int dir, const char *name, int flags, struct statx *stx)
{
	const int follow = flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
	_cleanup_(close_fd) int opened = -1;
	uint64_t mount;
	struct stat st;
	int fd = dir, r;

	if (*name) {
		opened = openat(dir, name, O_PATH | O_CLOEXEC | follow);
		if (opened < 0)
			return -errno;
		fd = opened;
	}
	r = mount_of(fd, &mount);
	if (r < 0)
		return r;
	if (!answers(fd, mount))
		return -EOPNOTSUPP;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	fill(stx, &st);
	memcpy((char *)stx + OFFSET_OF_MOUNT, &mount, sizeof(mount));
	stx->stx_mask |= STATX_MNT_ID;
	return 0;
}

int statx_at(int dir, const char *name, int flags, unsigned mask, struct statx *stx)
{
	int error, r;
	struct stat st;

	if (syscall(SYS_statx, dir, name, flags, mask, stx) == 0)
		return 0;
	error = -errno;
	if (error != -ENOSYS && error != -EPERM)
		return error;
	if (flags & AT_STATX_DONT_SYNC) {
		r = ask_quietly(dir, name, flags, stx);
		return r == -EOPNOTSUPP ? error : r;
	}
	if (fstatat(dir, name, &st, flags & OF_LOOKUP) < 0)
		return -errno;
	fill(stx, &st);
	return 0;
}
