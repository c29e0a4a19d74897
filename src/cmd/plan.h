/* SPDX-License-Identifier: MIT */
/* What `remove` is to do: the objects that its words mean, each once. */
#pragma once

#include "cmd/select.h"

/* One object that is to go. */
struct removal {
	const struct kind *kind;
	size_t index;
	struct span ref; /* as list prints it */
	bool doubtful;	 /* it may be of another kind: only its own name removes it */
	bool ended;	 /* nothing is left to be done: it goes with its holders */
};

struct plan {
	struct context *context;
	struct snapshot snapshot;
	struct warnings warnings;
	struct removal *items;
	size_t count;
	struct arena arena;
	struct hash planned; /* index of an object in its snapshot -> item */
};

void plan_init(struct plan *p, struct context *c);
void plan_free(struct plan *p);
/* Looks up the targets, and all objects of the kinds in the list; says what is not found.
 * -1 to go on, or the exit status. */
int plan_take(struct plan *p, const struct targets *targets, const struct kind_list *list);
/* The first holding of an object, or NULL. */
const struct holding *removal_held(const struct plan *p, const struct removal *r);
