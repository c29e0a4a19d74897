/* SPDX-License-Identifier: MIT */
/* What one thread gets ready, once, and others may have to wait for. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base.h"

struct latch {
	atomic_bool open;
	pthread_mutex_t mutex;
	pthread_cond_t opened;
};

#define LATCH_CLOSED                                                                                         \
	{                                                                                                    \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER                       \
	}

/* Whether it is open: then what was written before that can be read. */
static inline bool latch_is_open(struct latch *latch)
{
	return atomic_load_explicit(&latch->open, memory_order_acquire);
}

void latch_open(struct latch *latch);
/* Returns once it is open: whoever is to open it must be at work already. */
void latch_wait(struct latch *latch);
