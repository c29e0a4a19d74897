/* SPDX-License-Identifier: MIT */
/* Tasks that wait for an object, as fields of its record. */
#pragma once

#include "kind/common.h"

/* Rows {pid, start_time, command, user, tid, call, operation}. */
extern const struct schema waiting_schema;

#define COMMON_WAITERS                                                                                       \
	{                                                                                                    \
		.name = "waiters", .type = FIELD_U64, .flags = FIELD_ON_DEMAND | FIELD_GAUGE,                \
		.sources = SOURCE_BLOCKED, .help = "tasks blocked in a call that waits for it"               \
	}
#define COMMON_WAITING                                                                                       \
	{                                                                                                    \
		.name = "waiting", .type = FIELD_LIST, .flags = FIELD_ON_DEMAND, .sources = SOURCE_BLOCKED,  \
		.items = &waiting_schema, .help = "each of those: process, thread, system call"              \
	}

#define COMMON_UNSEEN_WAITERS(needs)                                                                         \
	{                                                                                                    \
		.name = "unseen_waiters", .type = FIELD_U64, .flags = FIELD_ON_DEMAND, .sources = (needs),   \
		.help = "of the waiters, how many no task in sight is"                                       \
	}

struct waiting_fields {
	size_t waiters, waiting;
};

/* Fills the wanted ones of both fields. Where a task may have been missed the number is unknown. 0 or
 * -ENOMEM. */
int record_waiting(struct projector *p, struct record *r, const struct waiting_fields *at,
		   const struct object_key *key) _must_check_;
/* Whether all tasks that may wait for an object could be asked, and none is out of sight. */
bool waiting_is_known(const struct projector *p, const struct object_key *key);
/* The list alone, of kinds whose number the kernel itself tells. 0 or -ENOMEM. */
int record_waiting_list(struct projector *p, struct record *r, size_t field,
			const struct object_key *key) _must_check_;
/*
 * The same of whoever waits for a futex in some memory; *found: how many. *asked: every task in sight
 * that may do so could be asked. 0 or -ENOMEM.
 */
int record_futex_waiting(struct projector *p, struct record *r, size_t field,
			 const struct memory_object *object, uint64_t *found, bool *asked) _must_check_;
/* How many there are of a number of waiters that is told otherwise (field `waiters`), but were not found;
 * known: all in sight were. */
void record_unseen(struct projector *p, struct record *r, size_t field, size_t waiters, uint64_t found,
		   bool known);
