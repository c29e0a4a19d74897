/* SPDX-License-Identifier: MIT */
/* The same work on many items, spread over threads. */
#pragma once

#include "lib/base.h"

#define MOST_THREADS 64

/* Ends a struct of which each thread has one in an array: what threads write to is in no cache line
 * of another's (a processor fetches them in pairs). */
#define APART char padding[128]

/*
 * Items are begun in order, and several run at a time. thread is below the number of
 * threads: a place for what one thread keeps from item to item.
 */
struct parallel_work {
	void (*run)(void *context, unsigned thread, size_t item);
	void *context;
	size_t count;
};

/*
 * Runs all items on at most `threads` threads (and MOST_THREADS), the caller's among them; as many
 * as could be started do the work, if only the caller's. Signals stay with the caller.
 */
void parallel_run(const struct parallel_work *work, unsigned threads);
/* Processors that this process may use; at least 1. */
unsigned processor_count(void);
