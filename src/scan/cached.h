/* SPDX-License-Identifier: MIT */
/* Looking up a path without waiting for any file system. */
#pragma once

#include "lib/buf.h"
#include "scan/statx.h"

/*
 * What lies at a path below dir, if the kernel knows it without asking a file system
 * (RESOLVE_CACHED of openat2(2), Linux 5.12). in_root: dir is the root of the path; final: a
 * symbolic link at its end is followed. 0, -EAGAIN: the kernel would have to ask, or is too
 * old; or -errno.
 */
int lookup_cached(int dir, const char *path, bool in_root, bool final, struct statx *stx) _must_check_;

/* The same, following a link at the end; and where that lies, as the kernel shows it (proc(5), fd). */
int lookup_cached_place(int dir, const char *path, bool in_root, struct statx *stx,
			struct buf *place) _must_check_;

/* A directory in which one file after the other is looked up. Zero-initialise to make one. */
struct lookup_place {
	struct buf path; /* terminated */
	bool there;	 /* and can be looked at: */
	int fd;
};

/*
 * The same for an absolute path (its last component is no symbolic link that is followed), if its
 * directory is on one of these devices (makedev(3)), which neither wait nor ask anybody: that
 * is looked up once for all of its files. -EAGAIN also: it is on another.
 */
int lookup_in_place(struct lookup_place *place, struct span path, const uint64_t *devices, size_t ndevices,
		    struct statx *stx) _must_check_;
void lookup_place_free(struct lookup_place *place);
