/* SPDX-License-Identifier: MIT */
/*
 * Processes that have a System V segment attached: mappings of "/SYSV%08x (deleted)"
 * (the key as it was at creation) whose inode number is the segment's id.
 */
#pragma once

#include "scan/holders.h"
#include "scan/maps.h"
#include "scan/sysvipc.h"

struct attach {
	uint32_t pid;
	uint64_t start, end; /* addresses in that process */
	bool hugetlb, noreserve;
	uint64_t page_size; /* bytes; of the mapping */
};

/*
 * One process that has the whole segment (of size bytes) mapped, among those that the
 * walk found, from `first` (or NULL) on. Returns 1 with *attach filled in, 0 if nobody
 * has, or -errno if nobody was found but some processes could not be read: -EACCES if they
 * refused.
 */
int attach_find(const struct holders *h, int proc, const struct holding *first, uint64_t size,
		struct attach *attach) _must_check_;
/* A descriptor for reading the segment itself through that mapping, without
 * attaching it; -EPERM without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, -ESTALE if
 * the segment is no longer mapped there. */
int attach_open(int proc, uint32_t id, const struct attach *attach) _must_check_;
/* Whether a mapping is that of a System V segment, and no file that is called so; *key: what
 * the segment was made with. */
bool attach_is_segment(const struct map_line *map, const struct internal_devices *devices, uint32_t *key);
/* The first holding of a segment of an IPC namespace (0: ours). A process may have brought one of the same id
 * along from another IPC namespace: the key tells. Once it is marked for destruction the kernel keeps no key.
 * NULL: nobody was found. */
const struct holding *attach_holding(const struct holders *h, uint64_t ipcns, const struct sysv_perm *perm);
