/* SPDX-License-Identifier: MIT */
/* The same work on many items, spread over threads. */
#pragma once

#include "lib/base.h"

/* Does item i of the work. Items run in any order, and several at a time. */
struct parallel_work {
	void (*run)(void *context, size_t item);
	void *context;
	size_t count;
};

/*
 * Runs all items on at most `threads` threads, the caller's among them; as many
 * as could be started do the work, if only the caller's. Signals stay with the caller.
 */
void parallel_run(const struct parallel_work *work, unsigned threads);
/* Processors that this process may use; at least 1. */
unsigned processor_count(void);
