/* SPDX-License-Identifier: MIT */
/* The futex words that tasks wait for, and those in the robust lists of tasks. */
#pragma once

#include "scan/futexes.h"
#include "scan/memory.h"

/* A word, and the task that waits for it or holds it. */
struct futex_word {
	struct memory_object object;
	uint64_t offset; /* of the word in that */
	struct futex_waiter waiter;
	enum futex_libc libc;		   /* of the task's program */
	uint64_t region_start, region_end; /* addresses of the mapping */
	bool local;			   /* see struct region */
	struct span path;		   /* of the memory */
};

struct futex_words {
	struct futex_word *items;
	size_t count;
	struct arena *arena; /* for paths */
};

/*
 * Adds the words that a task waits for, of those in shared memory. 0, -ENOTSUP: what it waits for
 * cannot be understood, or -ENOMEM.
 */
int futex_words_of_task(struct futex_words *words, int proc, const struct task *task,
			const struct regions *regions) _must_check_;
/* Adds those in the robust list of a task. 0, -EPERM: it may not be read, or -ENOMEM. */
int futex_words_held(struct futex_words *words, int proc, uint32_t tid,
		     const struct regions *regions) _must_check_;
/* Whether the robust list of a task has any entry, or cannot be told to have none. memory: that of
 * its process, as another thread of it shows it. */
bool futex_holds_any(int proc, uint32_t tid, const struct memory *memory);
/*
 * Those of all processes, from the tasks and holders of the snapshot, on at most so many threads; the
 * paths live as long as the snapshot. What could not be asked goes to s->futexes. Caller frees
 * words->items. 0 or -ENOMEM.
 */
struct snapshot;
int futex_words_gather(struct snapshot *s, unsigned threads, struct futex_words *words) _must_check_;
/* Whether a task waits for a futex that only its own process uses, as most do. */
bool futex_wait_is_private(const struct task *task);
