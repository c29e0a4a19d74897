/* SPDX-License-Identifier: MIT */
/* A look at who waits for whom, and a second one where it shows what can never end. */
#pragma once

#include "cmd/waitgraph.h"

struct wait_look {
	struct kind_list wide; /* of the listing: what was asked for, and what circles go through */
	struct listing l;
	struct wait_graph g;
	uint64_t *runs; /* of each wait: how often its task had run; UINT64_MAX: not known */
};

/*
 * Looks, and judges; what seems to be without hope counts if a second look, 100 ms later, finds the same
 * tasks in it, and none has run. -1 or the exit status. Free it in any case.
 */
int wait_look(struct wait_look *look, struct context *c, const struct kind_list *asked,
	      struct warnings *warnings);
void wait_look_free(struct wait_look *look);
