/* SPDX-License-Identifier: MIT */
#include "lib/latch.h"

void latch_open(struct latch *latch)
{
	pthread_mutex_lock(&latch->mutex);
	atomic_store_explicit(&latch->open, true, memory_order_release);
	pthread_cond_broadcast(&latch->opened);
	pthread_mutex_unlock(&latch->mutex);
}

void latch_wait(struct latch *latch)
{
	if (latch_is_open(latch))
		return;
	pthread_mutex_lock(&latch->mutex);
	while (!latch_is_open(latch))
		pthread_cond_wait(&latch->opened, &latch->mutex);
	pthread_mutex_unlock(&latch->mutex);
}
