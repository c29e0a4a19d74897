/* SPDX-License-Identifier: MIT */
/* The parts of holders_walk(): one process, and what becomes of all together. */
#pragma once

#include "scan/visit.h"

/* Classes whose objects are held by descriptors. */
#define WALK_DESCRIPTORS                                                                                     \
	(1 << OBJECT_FILE | 1 << OBJECT_PIPE | 1 << OBJECT_FIFO | 1 << OBJECT_SOCKET | 1 << OBJECT_MEMFD |   \
	 1 << OBJECT_EVENTFD | 1 << OBJECT_PTY | 1 << OBJECT_LOCK)

/*
 * Looks at one process: its descriptors and mappings, those of threads that do
 * not share them included. What it finds goes into w, and into the process's own
 * place: the index-th holder, of which the caller has filled in the pid.
 */
void walk_process(struct walker *w, struct holder *holder, uint32_t index);
void walker_free(struct walker *w);

/* Where the holdings of one process stand: what one thread found at one go. */
struct slice {
	unsigned thread;
	size_t first, count;
	bool early;	 /* the look began before /proc/locks was read */
	bool unreadable; /* it could not be read whole */
};

struct walk {
	struct internal_devices devices;
	char ipc_namespace[64], mount_namespace[64], net_namespace[64]; /* ours */
	uint64_t *ambiguous, *plain;					/* devices: see struct walker */
	size_t nambiguous, nplain;
	struct walker walkers[MOST_THREADS];
	struct holder *processes; /* in the order of /proc, that of pids */
	struct slice *slices;
	size_t count;
};

/* Puts together what the threads found; takes it from them. 0 or -ENOMEM. */
int walk_merge(struct holders *h, struct walk *walk) _must_check_;
