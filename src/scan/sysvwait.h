/* SPDX-License-Identifier: MIT */
/* What a task wants that waits for a System V set or queue: its call's arguments, and what of them is in its
 * memory. */
#pragma once

#include "lib/buf.h"
#include "scan/memory.h"
#include "scan/tasks.h"

/*
 * Appends what a task in semop(2), msgsnd(2) or msgrcv(2) waits to do; nothing if that cannot be read.
 * memory: of its process, opened if need be. here: the set is of our IPC namespace; then *blocker becomes who
 * changed last the semaphore that stops it, or 0.
 */
void sysv_wait_tell(const struct scan_context *context, const struct task *task, struct memory *memory,
		    bool here, struct buf *text, uint32_t *blocker);
