/* SPDX-License-Identifier: MIT */
/*
 * Tasks that are blocked in flock(2) and fcntl(2): what they want, from their system call. Unlike
 * /proc/locks that tells who waits for a lock of an open file description, and for one of a process
 * that has no number in our PID namespace; but not in which order.
 */
#pragma once

#include "scan/proclocks.h"
#include "scan/tasks.h"

struct lock_wait {
	uint32_t pid, tid;
	struct lock_line wanted; /* dev and ino are those of stat(2) */
	bool range_known;	 /* of the others only the file is known */
	bool listed;		 /* /proc/locks has it, too */
	uint32_t next;		 /* the next of the same file, or NO_WAITER */
};

struct lock_waits {
	struct lock_wait *items; /* those of one file follow each other in the order of pids */
	size_t count;
	struct hash index; /* number of an inode -> the first */
	bool looked;
	bool complete; /* every task could be asked, and was understood */
};

/*
 * Looks at the tasks that wait for a lock, and finds them in /proc/locks: rows of waiters there get
 * the number of theirs. 0 or -ENOMEM.
 */
int lock_waits_find(struct lock_waits *waits, const struct scan_context *context, const struct tasks *tasks,
		    struct proc_locks *locks, const struct lock_set *held) _must_check_;
/* The next that wants a lock of that file, as stat(2) calls it, behind `after` (NULL: the first). */
const struct lock_wait *lock_waits_next(const struct lock_waits *waits, uint64_t dev, uint64_t ino,
					const struct lock_wait *after);
/* Whether a lock keeps somebody from what he wants. */
bool lock_conflicts(const struct lock_line *held, const struct lock_line *wanted);
void lock_waits_free(struct lock_waits *waits);
