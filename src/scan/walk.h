/* SPDX-License-Identifier: MIT */
/* One process of the walk: what holders_walk() does in each of its threads. */
#pragma once

#include "scan/holders.h"

/* What one thread has found so far. */
struct walker {
	const struct holders_request *request;
	const struct internal_devices *devices; /* where segments live */
	const char *ipc_namespace;		/* ours: "ipc:[4026531839]", or "" */
	int proc;
	int64_t boot; /* of boot_time() */
	struct holder *items;
	size_t count;
	struct holding *holdings;
	size_t nholdings;
	struct nameless *nameless;
	size_t nnameless;
	struct arena arena;
	uint64_t unreadable;
	uint64_t threads; /* that were seen, of all processes */
	int error;	  /* 0, or -ENOMEM and the like: the walk is not whole */
};

/* Looks at one process: its descriptors and mappings, those of threads that do
 * not share them included. What it finds goes into w. */
void walk_process(struct walker *w, uint32_t pid);
void walker_free(struct walker *w);
/* Reads the numbers in a directory of /proc (processes, threads, descriptors)
 * into *numbers (the caller's to free). How many, or -errno. */
int64_t read_numbers(int dir, uint32_t **numbers) _must_check_;
