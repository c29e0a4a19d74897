/* SPDX-License-Identifier: MIT */
/*
 * Files of root in a tree that is not trusted to be what it looks like: another mount namespace's
 * root, such as /proc/PID/root, where a link may lead anywhere on this side.
 */
#pragma once

#include "lib/buf.h"

/*
 * Opens whatever is at a path below a directory as if that were the root, following no link on the way,
 * neither symbolic ones, which lead wherever their maker likes, nor those of /proc (openat2(2)). A descriptor
 * or -errno; -ELOOP: there is a link.
 */
int beneath_open(int root, const char *path, int flags) _must_check_;
/*
 * Opens a directory at a relative path below one, to list it. No component may be a link, or "..".
 * A descriptor, or -errno.
 */
int beneath_open_directory(int root, const char *path) _must_check_;
/*
 * Appends what is in a file there to out. Only a regular one is opened, and only one that belongs to user 0
 * (as seen from here) and holds at most max bytes; it can't block. 0; -EPERM: it is another's; -EFBIG;
 * -EINVAL: it is no regular file; or -errno. On failure out may hold part of it.
 */
int beneath_read(int root, const char *path, size_t max, struct buf *out) _must_check_;
