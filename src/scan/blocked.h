/* SPDX-License-Identifier: MIT */
/*
 * Which objects the blocked tasks wait for: what their system calls mean by descriptors and
 * identifiers. Locks have a file of their own (lockwaits.h), and so has open(2) (openers.h).
 */
#pragma once

#include "scan/holders.h"
#include "scan/tasks.h"

struct blocked {
	uint32_t pid, tid;
	uint8_t wait;	       /* of enum task_wait */
	bool among;	       /* it waits for several at a time: poll(2), select(2), epoll_wait(2) */
	int fd;		       /* its descriptor of it, or -1 */
	struct object_key key; /* as holdings have it; or one of those that nobody holds */
	struct span detail;    /* "semaphore 3: -1", or empty */
	uint32_t blocker;      /* semop(2): process that changed that semaphore last (GETPID), or 0 */
	uint32_t next;	       /* the next of the same object, or NO_BLOCKED */
};

#define NO_BLOCKED UINT32_MAX

struct blocked_tasks {
	struct blocked *items;
	size_t count;
	struct hash index;    /* digest of a key -> the first */
	struct arena *arenas; /* MOST_THREADS of them: of details */
	bool looked;
	bool complete; /* every task could be asked, and was understood */
	int refused;   /* why one that was asked before could not be asked more: -errno, or 0 */
};

/* What is to be found: as of a walk; `beside` does not matter. 0 or -ENOMEM. */
int blocked_find(struct blocked_tasks *b, const struct scan_context *context, const struct tasks *tasks,
		 const struct holders_request *request, const struct internal_devices *devices) _must_check_;
/* The next task that waits for an object behind `after` (NULL: the first): in the order of pids. */
const struct blocked *blocked_next(const struct blocked_tasks *b, const struct object_key *key,
				   const struct blocked *after);
void blocked_free(struct blocked_tasks *b);
