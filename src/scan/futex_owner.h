/* SPDX-License-Identifier: MIT */
/* Whose thread number stands in a mutex. */
#pragma once

#include "scan/futexes.h"

struct holding;

struct futex_owner {
	enum {
		OWNER_NONE,    /* it is not locked, or does not say by whom */
		OWNER_ALIVE,   /* pid and tid are set */
		OWNER_DEAD,    /* nobody who has the memory mapped has that number */
		OWNER_UNKNOWN, /* somebody out of sight, or of two the one, may be it */
	} state;
	uint32_t pid, tid; /* as /proc shows them */
};

/*
 * The thread's number is that of its own PID namespace, and may be anybody's by now: the owner is
 * the one among the processes that have the memory mapped who has that number there.
 */
void futex_owner_find(const struct snapshot *s, const struct futex *futex, struct futex_owner *owner);
/* Processes that have memory mapped: the first holding, or NULL. */
const struct holding *memory_object_holding(const struct snapshot *s, const struct memory_object *object);
/* The number of a task in the innermost PID namespace that it is in, or 0. */
uint32_t task_inner_number(const struct scan_context *context, uint32_t pid, uint32_t tid);
