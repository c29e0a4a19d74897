/* SPDX-License-Identifier: MIT */
/* What tasks have to do with a futex: who owns it, who waits, and what comes of that. */
#pragma once

#include "kind/held.h"
#include "scan/futex_owner.h"

enum futex_field {
	FUTEX_KIND,
	FUTEX_REF,
	FUTEX_TYPE,
	FUTEX_CONFIDENCE,
	FUTEX_LAYOUT,
	FUTEX_OBJECT,
	FUTEX_OFFSET,
	FUTEX_WORD,
	FUTEX_VALUE,
	FUTEX_MUTEX_KIND,
	FUTEX_ROBUST,
	FUTEX_PROTOCOL,
	FUTEX_LOCKED,
	FUTEX_COUNT,
	FUTEX_READERS,
	FUTEX_OWNER_PID,
	FUTEX_OWNER_TID,
	FUTEX_OWNER_COMMAND,
	FUTEX_OWNER_NUMBER,
	FUTEX_OWNER_DEAD,
	FUTEX_WAITERS,
	FUTEX_WAITING,
	FUTEX_NHOLDERS,
	FUTEX_HOLDERS,
	FUTEX_STATE,
	FUTEX_REASON,
};

extern const struct schema futex_waiter_schema;

/* Whether the number of waiters that was found is all there are. 0, or of enum why or an errno. */
int futex_waiters_unknown(const struct snapshot *s, const struct futex *futex);
/* Fills the fields from FUTEX_OWNER_PID to FUTEX_WAITING, state and reason. 0 or -ENOMEM. */
int futex_project_tasks(struct projector *p, struct record *r, const struct futex *futex,
			const struct holding *first) _must_check_;
