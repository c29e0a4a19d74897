/* SPDX-License-Identifier: MIT */
/* Looking up a path without waiting for any file system. */
#pragma once

#include <sys/stat.h>

#include "lib/base.h"

/*
 * What lies at a path below dir, if the kernel knows it without asking a file system
 * (RESOLVE_CACHED of openat2(2), Linux 5.12). in_root: dir is the root of the path; final: a
 * symbolic link at its end is followed. 0, -EAGAIN: the kernel would have to ask, or is too
 * old; or -errno.
 */
int lookup_cached(int dir, const char *path, bool in_root, bool final, struct statx *stx) _must_check_;
