/* SPDX-License-Identifier: MIT */
/* The numbers of a whole system, kind by kind: what monitoring wants, and no single object. */
#pragma once

#include "cmd/listing.h"

/* States that are counted, in the order of state_values; the last: a kind that has none. */
enum survey_state {
	SURVEY_IN_USE,
	SURVEY_IDLE,
	SURVEY_ORPHANED,
	SURVEY_STALE,
	SURVEY_UNKNOWN,
	SURVEY_STATELESS,
	SURVEY_STATES,
};
extern const char *const survey_states[SURVEY_STATES];

/* Of how many objects a number is known and how many it could not be read; those that have none are neither.
 */
struct summed {
	uint64_t sum, known, unknown;
};

/* What the objects of one state sum up to. */
struct state_sum {
	uint64_t objects;
	struct summed bytes, holders, waiters;
};

struct kind_survey {
	const struct kind *kind;
	bool unread; /* its source failed: there are no numbers */
	struct state_sum states[SURVEY_STATES];
	/* By field of the kind's schema: those of its gauges that need no call per object, and what else is
	 * counted here. */
	struct summed *fields;
	bool has_orphan;
	uint64_t oldest_orphan; /* seconds */
	/* Of objects that have room for so much: the fullest, in hundredths of a percent; and which. */
	bool has_fill;
	uint64_t fullest;
	struct span fullest_ref;
};

struct survey {
	struct listing l; /* all kinds, with their snapshot */
	struct kind_survey *kinds;
	struct arena arena;
	uint64_t blocked;				   /* threads that are blocked on an object */
	uint64_t deadlocks, likely_deadlocks, dead_owners; /* circles, circles, threads */
	bool complete;
	uint64_t unreadable_processes;
	uint64_t nanoseconds; /* what it took */
};

/*
 * Looks at everything. What could not be read goes to warnings. The listing's kinds are list's. -1 or the
 * exit status. Free it in any case.
 */
int survey_take(struct survey *s, struct context *c, const struct kind_list *list, struct warnings *warnings);
void survey_free(struct survey *s);
/* Whether the sum of this field is one: it is a gauge, and no part of struct state_sum. */
bool survey_sums(const struct kind *k, size_t field);
/* Whether a sum says anything: what could be read of no object is not 0. */
bool summed_known(const struct summed *s);
