/* SPDX-License-Identifier: MIT */
/*
 * Tasks that are blocked in open(2) of a FIFO: they have no descriptor yet, and only
 * /proc/PID/task/TID/syscall tells what they wait for (proc(5)).
 */
#pragma once

#include "lib/arena.h"
#include "scan/context.h"
#include "scan/found.h"
#include "scan/tasks.h"

struct opener {
	struct object_key key; /* OBJECT_FIFO, or OBJECT_FILE: a regular file, as of stat(2) */
	uint32_t pid, tid;
	uint32_t uid;	/* effective, of the process */
	uint8_t access; /* of enum holding_access: what it wants */
	struct span path; /* where the file lies, as the kernel shows it to us; terminated, or empty */
};

struct openers {
	struct opener *items; /* in the order of pids */
	size_t count;
	struct arena arena;
	bool looked;   /* they were looked for */
	bool complete; /* and every one that may be such a task could be asked what it opens */
};

/*
 * Looks at the tasks that open something. Files are looked up only where the kernel has them at hand, so that
 * no dead file system is waited for. 0 or -ENOMEM.
 */
int openers_find(struct openers *o, const struct scan_context *context,
		 const struct tasks *tasks) _must_check_;
/* The next opener of that FIFO behind `after` (NULL: the first), or NULL. */
const struct opener *openers_next(const struct openers *o, const struct object_key *key,
				  const struct opener *after);
void openers_free(struct openers *o);
