/* SPDX-License-Identifier: MIT */
/*
 * The proof that nobody has a file open: a write lease (fcntl(2), F_SETLEASE), which the kernel
 * gives for regular files of tmpfs and of the mqueue file system only if there is no other open
 * file description of it anywhere: no descriptor, no mapping, none under way in a socket, in io_uring
 * or behind a loop device (check_conflicting_open() in fs/locks.c). Descriptors of O_PATH do not
 * count, nor does the source of a bind mount.
 *
 * The file is opened for a moment, which inotify(7) sees. While the lease is held, who opens the file
 * waits for it, and this process gets SIGIO: ignore it.
 */
#pragma once

#include <sys/stat.h>

#include "lib/base.h"

/*
 * Takes the lease of dir/leaf, which was a regular file a moment ago, if it is still this one; *st is what it
 * was when it was opened. Closing *fd gives it back. 0, -EBUSY: somebody has the file open, -ENOENT, -ESTALE:
 * another file has the name, -EACCES: the caller does not own it and has no CAP_LEASE, or -errno.
 */
int lease_take(int dir, const char *leaf, uint64_t dev, uint64_t ino, struct stat *st, int *fd) _must_check_;
/* Whether it is still held, and nobody waits for the file: 0, -EBUSY, or -errno. */
int lease_check(int fd) _must_check_;
/* Gives it back and keeps the file open. 0 or -errno. */
int lease_release(int fd) _must_check_;
/* Whether nobody else has the file open now, the lease having been given back: as lease_check(). */
int lease_retake(int fd) _must_check_;
