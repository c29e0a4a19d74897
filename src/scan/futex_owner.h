/* SPDX-License-Identifier: MIT */
/* Whose thread number stands in a mutex. */
#pragma once

#include "scan/futexes.h"

struct holding;

/*
 * Sets `owner` of futexes that lie in the same memory. The thread's number is that of its own PID
 * namespace, and may be anybody's by now: the owner is the one among the processes that have the
 * memory mapped who has that number there. 0 or -ENOMEM.
 */
int futex_owners_find(const struct snapshot *s, struct futex *futexes, size_t n) _must_check_;
/* Whether a process that has the memory mapped waits for something that could not be understood. */
bool futex_waits_unclear(const struct snapshot *s, const struct memory_object *object);
/* Processes that have memory mapped: the first holding, or NULL. */
const struct holding *memory_object_holding(const struct snapshot *s, const struct memory_object *object);
/* The number of a task in the innermost PID namespace that it is in, or 0. */
uint32_t task_inner_number(const struct scan_context *context, uint32_t pid, uint32_t tid);
