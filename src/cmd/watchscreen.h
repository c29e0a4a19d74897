/* SPDX-License-Identifier: MIT */
/* watch --table: the table of a listing, drawn over and over on a terminal, with what has changed marked. */
#pragma once

#include "cmd/listing.h"
#include "cmd/watchstate.h"

struct watch_row {
	size_t entry; /* of the comparison */
	struct render_mark mark;
};

struct watch_screen {
	struct listing *listing;
	struct rowset rows;	 /* of the last look */
	struct watch_row *marks; /* of each, in the order of adding */
	size_t nmarks, cursor;
	uint64_t created, changed, removed; /* objects */
	struct arena scratch;
	bool open;
};

/* Takes over the terminal, until it is left; what is written goes into the context's output. */
void watch_screen_enter(struct watch_screen *s, struct listing *l);
void watch_screen_leave(struct watch_screen *s);
void watch_screen_free(struct watch_screen *s);
/* Begins a look: forgets the rows of the last. */
void watch_screen_begin(struct watch_screen *s);
/* A row; entries come in ascending order. 0 or -ENOMEM. */
int watch_screen_add(struct watch_screen *s, const struct record *r, size_t entry) _must_check_;
/* Takes an event, as watch_state.tell, once all rows were added: it marks the row of its object. */
int watch_screen_tell(struct watch_screen *s, const struct watch_event *event) _must_check_;
/* Draws what was added, as much as the terminal has room for. 0 or -ENOMEM. */
int watch_screen_draw(struct watch_screen *s, const struct timespec *now, uint64_t interval) _must_check_;
