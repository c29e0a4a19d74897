/* SPDX-License-Identifier: MIT */
/* Memory of single mappings: /proc/PID/smaps (proc(5)). */
#pragma once

#include "lib/base.h"

struct smaps_entry {
	uint64_t start, end;		/* addresses */
	uint64_t offset, inode;		/* of the file, as maps shows them */
	uint64_t rss, pss, dirty, swap; /* bytes; dirty: shared and private */
};

/* Reads the entries of a process, a directory of proc, one after the other. */
struct smaps_reader;

/* tid: a thread of it to be asked, where the leader is dead; else 0. 0 or -errno; free with
 * smaps_close(). */
int smaps_open(struct smaps_reader **reader, int proc, uint32_t pid, uint32_t tid) _must_check_;
/* The next mapping, in the order of addresses. 1, 0 at the end, or -errno. */
int smaps_next(struct smaps_reader *reader, struct smaps_entry *entry) _must_check_;
void smaps_close(struct smaps_reader *reader);
