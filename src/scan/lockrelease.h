/* SPDX-License-Identifier: MIT */
/* Releasing a lock of another process, through a copy of its descriptor (pidfd_getfd(2)). */
#pragma once

#include "scan/scan.h"

/*
 * Releases a lock that a descriptor holds: flock(2), OFD lock or lease; a classic POSIX lock
 * (LOCK_POSIX) is its process's alone. The holder is not told. 0, -ENOENT: the descriptor does not
 * hold it (any more), -ETIMEDOUT: its file system did not answer in time, -ENOTSUP: this /proc is
 * another system's or PID namespace's, or -errno.
 */
int lock_release(const struct snapshot *s, const struct holding *g,
		 const struct lock_line *line) _must_check_;
