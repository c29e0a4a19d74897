/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom: every task that is blocked on an object, and who could release it, gathered
 * from the records of all kinds that are asked for.
 */
#pragma once

#include "cmd/listing.h"

/* What somebody who could release an object has to do with it. */
enum release {
	RELEASE_OWNER,	   /* of a mutex or lock in memory: this thread */
	RELEASE_HOLDER,	   /* of a lock of a file: any process that has it */
	RELEASE_LAST,	   /* changed the semaphore last */
	RELEASE_OTHER_END, /* holds the other end */
	RELEASE_SHARES,	   /* has it open, too */
};

struct releaser {
	uint32_t pid, tid; /* tid 0: any thread of the process */
	int64_t fd;	   /* its descriptor, or -1 */
	struct span role;  /* what it is to the object */
	enum release why;
};

/* An object that somebody waits for. */
struct awaited {
	const struct kind *kind;
	struct span ref;
	bool asked;	     /* its kind is one of those that were asked for */
	bool dead;	     /* whoever had it locked has ended, and nobody will unlock it */
	size_t first, count; /* among the releasers: ordered by role, pid, descriptor */
};

enum wait_verdict {
	WAIT_GOES_ON,
	WAIT_DEADLOCK,
	/* A circle, but who has to give a semaphore is only taken to be who changed it last. */
	WAIT_LIKELY_DEADLOCK,
	WAIT_OWNER_DEAD,
};

/* A task and an object that it waits for. */
struct wait {
	uint32_t pid, tid; /* tid 0: not known */
	int64_t fd;	   /* its descriptor of the object, or -1 */
	size_t object;
	struct releaser
		last; /* who keeps this one waiting, where the object has no releasers; pid 0: nobody */
	const char *call;
	struct span operation; /* escaped by nobody yet; or empty */
	bool timed;	       /* it ends by itself, or that cannot be told */
	bool among;	       /* one of several that the call waits for */
	enum wait_verdict verdict;
	uint32_t cycle; /* from 1; 0: none */
};

struct wait_graph {
	struct wait *waits; /* in the order of pids, then tids */
	size_t nwaits;
	struct awaited *objects;
	size_t nobjects;
	struct releaser *releasers;
	size_t nreleasers;
	uint32_t ncycles;
	uint64_t unplaced; /* tasks that wait, and whose process number is not known here */
	struct arena arena;
};

/* The sources that it takes for these kinds. */
unsigned wait_graph_sources(const struct listing *l);
/*
 * Fills the graph from the listing's snapshot; what cannot be told goes to warnings. asked: the kinds
 * that were asked for; the listing may have more, through which circles go. 0 or -ENOMEM.
 */
int wait_graph_build(struct wait_graph *g, struct listing *l, const struct kind_list *asked,
		     struct warnings *warnings) _must_check_;
void wait_graph_free(struct wait_graph *g);
/* The waits of one thread: the index of the first; *count of them. */
size_t wait_graph_of_task(const struct wait_graph *g, uint32_t pid, uint32_t tid, size_t *count);
/* Whether any thread of a process (tid 0), or that one, waits. */
bool wait_graph_waits(const struct wait_graph *g, uint32_t pid, uint32_t tid);

/*
 * Calls visit for each process that could release what w waits for, at most once, until that
 * returns other than 0; returns that. Those at the other end come alone if there are any.
 */
int wait_each_releaser(const struct wait_graph *g, const struct wait *w,
		       int (*visit)(void *data, const struct releaser *r), void *data);

/*
 * Finds the circles: tasks each of which waits, without a time, for what only others of them can
 * release (any of those who may release it is enough to stay out). Sets verdict and cycle. 0 or
 * -ENOMEM.
 */
int wait_graph_judge(struct wait_graph *g, const struct snapshot *s) _must_check_;
/* Takes the verdict from these waits, and with each from its whole circle; the others are numbered
 * anew. doubtful: for each wait. 0 or -ENOMEM. */
int wait_graph_doubt(struct wait_graph *g, const bool *doubtful) _must_check_;
