/* SPDX-License-Identifier: MIT */
/* A kernel limit as a record; `summary` shows the nearest one too. */
#pragma once

#include "cmd/sheet.h"
#include "kind/kind.h"

enum {
	LIMIT_KIND,
	LIMIT_NAME,
	LIMIT_VALUE,
	LIMIT_USED,
	LIMIT_HEADROOM,
	LIMIT_PERCENT,
	LIMIT_FILLS,
	LIMIT_UNIT,
	LIMIT_SCOPE,
	LIMIT_SOURCE,
	LIMIT_REACHED,
	LIMIT_NAMESPACE,
	LIMIT_CONTAINER,
};

extern const struct schema limit_schema;

/* Reads the limits of kinds, or only those that fill up, into records of limit_schema, and calls visit for
 * each; once for each namespace that is looked at, if it is one of a namespace. 0, -ENOMEM, or what visit
 * returned that is negative. */
int limits_each(const struct kind *const *kinds, size_t nkinds, bool filling, struct snapshot *s,
		int (*visit)(void *data, const struct kind *k, const struct limit *limit,
			     const struct record *r),
		void *data) _must_check_;
/* Hundredths of a percent of the limit that are used. */
uint64_t limit_percent(uint64_t used, uint64_t limit);
