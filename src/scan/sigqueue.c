/* SPDX-License-Identifier: MIT */
#include "scan/sigqueue.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/vec.h"
#include "scan/pids.h"

/* Entries that are asked for at one go. */
#define BATCH 64

/* Of linux/ptrace.h, which does not go together with sys/ptrace.h. */
struct peek_arguments {
	uint64_t offset;
	uint32_t flags;
	int32_t count;
};

enum { PEEK_THREAD = 0, PEEK_PROCESS = 1 };

/*
 * A look at one process. It is done by a thread of its own: tracing belongs to the thread that
 * began it, and ends with it, so that nothing stays attached whatever happens.
 */
struct look {
	struct signal_queue *queue;
	const struct scan_context *context;
	const struct signal_process *process;
	bool process_done; /* the queue of the process was read */
	int error;
};

static bool is_same_process(const struct look *l)
{
	uint64_t ticks;

	return pid_start_ticks(l->context, l->process->pid, &ticks) == 0 && ticks == l->process->start_ticks;
}

/* Whether the number is that of one of its threads. */
static bool is_own_thread(const struct look *l, uint32_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "%u/task/%u", l->process->pid, tid);
	return faccessat(l->context->proc, path, F_OK, 0) == 0 && is_same_process(l);
}

/* Waits until the thread has stopped: 0 with the signal that it was just about to take, if any,
 * -ESRCH (it has ended) or -ETIMEDOUT. */
static int wait_until_stopped(pid_t tid, int *taken)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	const int quick = 200, most = quick + 1000; /* a second, and a bit */

	for (int i = 0; i < most; i++) {
		int status;
		pid_t r = waitpid(tid, &status, __WALL | WNOHANG);

		if (r < 0 || (r > 0 && !WIFSTOPPED(status)))
			return -ESRCH;
		if (r > 0) {
			/* With PTRACE_SEIZE any other stop has a number of its own above the signal's. */
			*taken = status >> 16 == 0 ? WSTOPSIG(status) : 0;
			return 0;
		}
		/* Mostly it stops at once, and should not have to wait for us to wake. */
		if (i < quick)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	}
	return -ETIMEDOUT;
}

static int add(struct signal_queue *q, uint32_t tid, const siginfo_t *info)
{
	if (vec_reserve(&q->items, q->count, sizeof(*q->items)) < 0)
		return -ENOMEM;
	q->items[q->count].tid = tid;
	q->items[q->count++].info = *info;
	return 0;
}

/* Reads one queue of a stopped thread: its own, or (PEEK_PROCESS) that of its process. */
static int peek(struct signal_queue *q, uint32_t tid, uint32_t which)
{
	siginfo_t infos[BATCH] = { 0 };
	struct peek_arguments a = { 0, which, BATCH };
	long n = 0;

	while (a.offset < MOST_QUEUED) {
		n = ptrace(PTRACE_PEEKSIGINFO, (pid_t)tid, &a, infos);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (long i = 0; i < n; i++)
			if (add(q, which == PEEK_PROCESS ? 0 : tid, &infos[i]) < 0)
				return -ENOMEM;
		a.offset += (uint64_t)n;
	}
	a.count = 1;
	q->cut |= ptrace(PTRACE_PEEKSIGINFO, (pid_t)tid, &a, infos) > 0;
	return 0;
}

/* What is to be read of a thread that is traced; then it goes on. */
static int stop_and_peek(struct look *l, const struct signal_thread *t)
{
	pid_t tid = (pid_t)t->tid;
	int taken = 0, r;

	/* Nothing was stopped so far: a number that was given away meanwhile is let go. */
	if (!is_own_thread(l, t->tid))
		return -ESRCH;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return -errno;
	r = wait_until_stopped(tid, &taken);
	if (r < 0)
		return r;
	if (!l->process_done && l->process->pending)
		r = peek(l->queue, t->tid, PEEK_PROCESS);
	l->process_done |= r == 0;
	if (r == 0 && t->pending)
		r = peek(l->queue, t->tid, PEEK_THREAD);
	/* It stopped to be given this one: now it gets it. */
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)taken);
	return r;
}

/* 0 also if the thread alone has ended; -ESRCH: the process has. */
static int look_at_thread(struct look *l, const struct signal_thread *t)
{
	int r = 0;

	if (!is_same_process(l))
		return -ESRCH;
	if (ptrace(PTRACE_SEIZE, (pid_t)t->tid, NULL, NULL) < 0)
		r = errno == EPERM && t->tracer ? -EBUSY : -errno;
	/* One that never stops cannot be let go by hand: that is done when this thread of ours ends. */
	if (r == 0)
		r = stop_and_peek(l, t);
	return r == -ESRCH && is_same_process(l) ? 0 : r;
}

/* The threads that have signals of their own, and tell those of the process as well; if there is
 * none of these, the first that can be stopped. */
static int look_at_all(struct look *l)
{
	const struct signal_process *p = l->process;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->nthreads; i++)
		if (p->threads[i].pending && !signal_thread_ended(p->threads[i].state))
			r = look_at_thread(l, &p->threads[i]);
	for (size_t i = 0; r == 0 && p->pending && !l->process_done && i < p->nthreads; i++)
		if (!signal_thread_ended(p->threads[i].state) && p->threads[i].state != 'D')
			r = look_at_thread(l, &p->threads[i]);
	return r == 0 && p->pending && !l->process_done ? -ETIMEDOUT : r;
}

static void *run(void *argument)
{
	struct look *l = argument;

	l->error = look_at_all(l);
	return NULL;
}

int signal_queue_read(struct signal_queue *queue, const struct scan_context *context,
		      const struct signal_process *process)
{
	struct look l = { .queue = queue, .context = context, .process = process };
	sigset_t all, before;
	pthread_t thread;
	int r;

	*queue = (struct signal_queue){ 0 };
	if (!context->own_proc || !context->own_pids)
		return -ENOTSUP;
	if (!(process->pending | process->thread_pending))
		return 0;
	if (!signal_process_waits(process))
		return -ETIMEDOUT; /* a zombie does not stop */
	/* Whoever suspends us in between, with ^Z say, would leave that process stopped. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&thread, NULL, run, &l);
	if (r == 0) {
		pthread_join(thread, NULL);
		r = l.error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void signal_queue_free(struct signal_queue *queue)
{
	free(queue->items);
	*queue = (struct signal_queue){ 0 };
}
