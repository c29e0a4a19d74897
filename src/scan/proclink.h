/* SPDX-License-Identifier: MIT */
/* Links in /proc that lead from a process to what it has. */
#pragma once

#include "lib/base.h"

/*
 * What an error at such a link means. The kernel refuses what belongs to a process that has ended since the
 * path was looked up (proc_ns_readlink() and proc_fd_access_allowed() in fs/proc: EACCES, as if it were not
 * ours to see): that is told as -ESRCH. Every other error is returned as it is.
 */
int proc_link_error(int dir, const char *path, int error);
/* Its text, not terminated: how long, or -errno as above. */
ssize_t proc_link_read(int dir, const char *path, char *text, size_t size) _must_check_;
/* The inode number of "ipc:[4026531839]", or 0 with errno, as above, if that cannot be read. */
uint64_t namespace_number(int dir, const char *path);
