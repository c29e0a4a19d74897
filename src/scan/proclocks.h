/* SPDX-License-Identifier: MIT */
/*
 * /proc/locks (proc(5)): who waits for which lock, and those that no descriptor shows. It
 * leaves out the locks of processes that have no number in the PID namespace of this /proc,
 * and those who wait for them.
 */
#pragma once

#include "scan/context.h"
#include "scan/lockset.h"

/* A lock that is held, and who waits for it: waiters[first .. first + count), in their order. */
struct proc_lock {
	struct lock_line line;
	uint32_t first, count;
	uint32_t next, last; /* lines of the same lock: the next, and of the first of them the last */
	bool gone;	     /* a later look did not show it any more */
	size_t page;	     /* which read(2) of the file told it */
};

/* One that waits. */
struct lock_waiter {
	struct lock_line line; /* what it wants */
	uint32_t ahead;	       /* index of the waiter that it stands behind, or NO_WAITER: the lock */
	uint32_t wait;	       /* index among the tasks that wait (lockwaits.h), or NO_WAITER */
};

#define NO_WAITER UINT32_MAX
#define NO_LOCK UINT32_MAX

struct proc_locks {
	struct proc_lock *items;
	size_t count;
	struct lock_waiter *waiters;
	size_t nwaiters;
	struct hash index;  /* lock -> its first line */
	struct hash inodes; /* numbers of locked files */
	bool looked;	    /* it was read */
	bool cut;	    /* not to its end */
	bool all;	    /* it leaves none out */
};

/*
 * Reads it, but no more than so many lines: the kernel goes through those that it told before
 * again for each page, so that the whole takes the square of their number. fdinfo tells of
 * the others, too. 0 or -errno; -ENOENT: this /proc has none (subset=pid).
 */
#define PROC_LOCKS_MOST 4096
int proc_locks_read(struct proc_locks *locks, const struct scan_context *context) _must_check_;
/* The first line of that lock, or NULL; and the next of the same lock. */
const struct proc_lock *proc_locks_find(const struct proc_locks *locks, const struct lock_line *lock);
static inline const struct proc_lock *proc_locks_next(const struct proc_locks *locks,
						      const struct proc_lock *lock)
{
	return lock->next == NO_LOCK ? NULL : &locks->items[lock->next];
}
/* Whether any file of that inode number, on whatever device, is locked. */
bool proc_locks_has_inode(const struct proc_locks *locks, uint64_t ino);
/*
 * Marks the locks that were let go meanwhile: neither a descriptor shows them (seen), nor does the
 * file any more. 0 or -ENOMEM.
 */
int proc_locks_confirm(struct proc_locks *locks, const struct scan_context *context,
		       const struct lock_set *seen) _must_check_;
void proc_locks_free(struct proc_locks *locks);
