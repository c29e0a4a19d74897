/* SPDX-License-Identifier: MIT */
/* What `clean` may take: the objects that were left behind, each with why, and what became of it. */
#pragma once

#include "cmd/listing.h"

enum clean_action { CLEAN_REMOVE, CLEAN_SPARE };
enum clean_outcome { OUTCOME_NONE, OUTCOME_REMOVED, OUTCOME_SPARED, OUTCOME_GONE, OUTCOME_FAILED };

struct candidate {
	const struct kind *kind;
	size_t index; /* in the snapshot */
	struct span ref, owner, state, reason;
	struct value uid, creator, bytes, age, messages; /* as the record had them */
	enum clean_action action;
	struct span why; /* why it is spared, or why that failed, or what went wrong with it; or empty */
	enum clean_outcome outcome;
};

struct cleaning {
	struct listing l; /* of the kinds, with the snapshot */
	struct filters filters;
	struct reclaim rules;
	uint64_t older_than; /* seconds */
	uint64_t most;	     /* of them that may be taken */
	const char *name;    /* glob(7), or NULL */
	struct candidate *items;
	size_t count, planned;
	uint64_t denied; /* spared for want of rights */
	struct owners owners;
	struct arena *arenas; /* of the candidates */
	size_t narenas;
	struct arena arena;
};

void cleaning_free(struct cleaning *clean);
/* Judges all objects and decides what is to go: the snapshot is taken already. 0 or -ENOMEM. */
int cleaning_plan(struct cleaning *clean, struct warnings *warnings) _must_check_;
/* Carries the plan out. `after` is told of each, and says whether to go on. 0 or -ENOMEM. */
int cleaning_carry_out(struct cleaning *clean, bool (*after)(void *data, const struct candidate *c),
		       void *data) _must_check_;
