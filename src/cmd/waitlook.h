/* SPDX-License-Identifier: MIT */
/*
 * Looks at who waits. A snapshot is not taken at one moment: what it shows as a circle may never
 * have been one. So deadlocks are looked at twice, and count if nobody has moved meanwhile.
 */
#pragma once

#include "cmd/waitgraph.h"

/* One look: a snapshot, and the graph of it. */
struct wait_look {
	struct kind_list wide; /* of the listing: what was asked for, and those through which circles go */
	struct listing l;
	struct wait_graph g;
	uint64_t *runs; /* of each wait: how often its task had run; UINT64_MAX: not known */
};

/* Prepares a look at these kinds; wait_look_sources() says what a snapshot for it must have. -1 to go
 * on, or the exit status. Free in any case. */
int wait_look_init(struct wait_look *look, struct context *c, const struct kind_list *asked);
unsigned wait_look_sources(const struct wait_look *look);
/* Looks into a snapshot that somebody else has, and that outlives the look. 0 or -ENOMEM. */
int wait_look_into(struct wait_look *look, struct context *c, const struct snapshot *s,
		   const struct kind_list *asked, struct warnings *warnings) _must_check_;
/* All of that, with a snapshot of its own. -1 to go on, or the exit status. Free in any case. */
int wait_look_take(struct wait_look *look, struct context *c, const struct kind_list *asked,
		   struct warnings *warnings);
/* Whether it shows anything that can never end. */
bool wait_look_is_hopeless(const struct wait_look *look);
/* Sleeps for as long as there is to be between two looks. */
void wait_look_pause(void);
/* Takes the verdicts away that the other look, at the same kinds, does not confirm. 0 or -ENOMEM. */
int wait_look_doubt(struct wait_look *look, const struct wait_look *other) _must_check_;
/*
 * Looks again, if the look shows what can never end, after the pause, and takes away what that does not confirm.
 * What cannot be read then confirms nothing, and is not told. -1 to go on, or the exit status.
 */
int wait_look_confirm(struct wait_look *look, struct context *c, const struct kind_list *asked);
void wait_look_free(struct wait_look *look);
