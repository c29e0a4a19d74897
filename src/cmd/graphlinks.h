/* SPDX-License-Identifier: MIT */
/* Between the files that draw lines: the object under way. */
#pragma once

#include "cmd/graphmodel.h"

/* The object under way. */
struct linking {
	struct graph *g;
	const struct wait_graph *waits;
	uint32_t item;		 /* which is its node, too */
	struct graph_hold *ends; /* who has which end of it, ordered by process */
	size_t nends;
	struct hash cycles; /* process, cycle: it waits in that */
	struct hash held;   /* object, process -> link: it keeps others waiting */
	struct hash busy;   /* object, process: it waits for the object */
};

static inline uint64_t graph_pair(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}

/* Adds a line of the object under way. 0 or -ENOMEM. */
int graph_add_link(struct linking *a, const struct graph_link *link) _must_check_;
/* That a process keeps others waiting who want the object; once for each. 0 or -ENOMEM. */
int graph_add_held_by(struct linking *a, uint32_t process, uint32_t roles,
		      struct graph_doom doom) _must_check_;
/* Notes who waits for an end of the object under way (NULL: none). 0 or -ENOMEM. */
int graph_note_busy(struct linking *a, const struct graph_item *awaited) _must_check_;
/* Draws who waits for an end of it (NULL: none). 0 or -ENOMEM. */
int graph_draw_waits(struct linking *a, const struct graph_item *awaited) _must_check_;
/* Notes which processes wait in which circle. 0 or -ENOMEM. */
int graph_note_cycles(struct linking *a) _must_check_;
