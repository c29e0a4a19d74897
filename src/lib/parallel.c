/* SPDX-License-Identifier: MIT */
#include "lib/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

struct crew {
	const struct parallel_work *work;
	atomic_size_t next;
	atomic_uint threads; /* that have begun */
};

static void *labour(void *argument)
{
	struct crew *crew = argument;
	unsigned thread = atomic_fetch_add(&crew->threads, 1);
	size_t i;

	while ((i = atomic_fetch_add(&crew->next, 1)) < crew->work->count)
		crew->work->run(crew->work->context, thread, i);
	return NULL;
}

void parallel_run(const struct parallel_work *work, unsigned threads)
{
	struct crew crew = { .work = work };
	pthread_t started[MOST_THREADS];
	sigset_t all, before;
	unsigned n = 0;

	if (threads > MOST_THREADS)
		threads = MOST_THREADS;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (n + 1 < threads && n + 1 < work->count &&
	       pthread_create(&started[n], NULL, labour, &crew) == 0)
		n++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	labour(&crew);
	while (n > 0)
		pthread_join(started[--n], NULL);
}

unsigned processor_count(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}
