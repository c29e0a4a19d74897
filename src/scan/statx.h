/* SPDX-License-Identifier: MIT */
/*
 * statx(2) with every C library: musl before 1.2.4 has neither the call nor its structure, and
 * those that have it may lack the number of the mount. To be included instead of <sys/stat.h>
 * where the structure is used.
 */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

/* Both headers of one library clash, save in this order, and only where the first has it not. */
#ifndef STATX_TYPE
#include <linux/stat.h>
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif
#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif

#include "lib/base.h"

/*
 * As statx(2). Where a filter of system calls refuses that, fstatat(2) tells the basic fields. It
 * asks the file system, though, and that may never answer: with AT_STATX_DONT_SYNC it is used only
 * if the mount, or the kind of the object, says that nothing is waited for. 0 or -errno: -ENOSYS, or -EPERM
 * from old filters, if what the file is can't be told.
 */
int statx_at(int dir, const char *name, int flags, unsigned mask, struct statx *stx) _must_check_;
/* The number of the mount, if STATX_MNT_ID was asked for and told (Linux 5.8). */
bool statx_mount(const struct statx *stx, uint64_t *number) _must_check_;
