/* SPDX-License-Identifier: MIT */
/*
 * The signals of processes: which are pending, blocked, ignored and caught, as
 * /proc/PID/task/TID/status tells (proc(5)). In a mask bit n - 1 stands for signal n.
 */
#pragma once

#include "lib/arena.h"
#include "model/warnings.h"
#include "scan/context.h"
#include "scan/names.h"

#define SIGNAL_BIT(number) ((uint64_t)1 << ((number)-1))

/* What one such file tells. */
struct signal_status {
	struct span name; /* of the thread, as it stands there: newline and backslash escaped; in the text */
	char state;	  /* R S D T t Z ... */
	uint32_t leader;  /* its process */
	uint32_t tracer;  /* process that traces it; 0: none */
	uint32_t real_uid, uid; /* uid: effective */
	uint32_t threads;	/* of the process, a leader that has ended included */
	uint64_t queued, limit; /* entries queued to all processes of real_uid, and the most of them */
	uint64_t pending;	/* for this thread alone */
	uint64_t process_pending, blocked, ignored, caught;
};

/* 0, or -EINVAL: a line is missing, there twice, or not understood. */
int signal_status_parse(struct span text, struct signal_status *out) _must_check_;

struct signal_thread {
	uint32_t tid, tracer;
	char state;
	uint64_t pending, blocked;
	struct span command;
};

struct signal_process {
	uint32_t pid;
	uint32_t leader; /* another than pid: that number is one of its threads', and nothing else is known */
	uint32_t real_uid, uid; /* uid: effective */
	uint64_t start_ticks;	/* with pid it identifies the process */
	int64_t start;		/* the same in seconds since the epoch */
	char state;		/* of the main thread */
	struct span command;
	uint64_t queued, limit;		   /* as above */
	uint64_t pending;		   /* for the process: any thread may take it */
	uint64_t thread_pending;	   /* for single threads, all together */
	uint64_t blocked, ignored, caught; /* blocked: by the main thread */
	struct signal_thread *threads;
	size_t nthreads;
};

struct process_signals {
	struct signal_process *items; /* in the order of pids */
	size_t count;
	struct arena *arenas; /* MOST_THREADS of them: they keep strings and threads */
	uint64_t unreadable;  /* processes that could not be read whole */
};

/* Whether a thread has ended. */
static inline bool signal_thread_ended(char state)
{
	return state == 'Z' || state == 'X';
}

/* Whether something waits to be delivered: to one that has ended nothing is. */
bool signal_process_waits(const struct signal_process *p);

/*
 * Finds the processes that have pending signals; or, if numbers are given (as text), those
 * processes, whatever they have. Those that end meanwhile are no news; those that cannot be
 * read are counted and warned of. threads: at most. 0 or -ENOMEM.
 */
int signals_read(struct process_signals *signals, const struct scan_context *context,
		 const struct name_list *numbers, unsigned threads, struct warnings *warnings) _must_check_;
/* The index of a process among the items, or -ENOENT. */
int64_t signals_find(const struct process_signals *signals, uint32_t pid);
void signals_free(struct process_signals *signals);
