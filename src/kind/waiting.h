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

struct waiting_fields {
	size_t waiters, waiting;
};

/* Fills the wanted ones of both fields. Where a task may have been missed the number is unknown. 0 or
 * -ENOMEM. */
int record_waiting(struct projector *p, struct record *r, const struct waiting_fields *at,
		   const struct object_key *key) _must_check_;
/* The list alone, of kinds whose number the kernel itself tells. 0 or -ENOMEM. */
int record_waiting_list(struct projector *p, struct record *r, size_t field,
			const struct object_key *key) _must_check_;
