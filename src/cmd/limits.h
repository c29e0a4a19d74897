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
};

extern const struct schema limit_schema;

/* Reads one limit of a kind's into a record of limit_schema. */
void limit_project(const struct kind *k, const struct limit *limit, struct snapshot *s, struct record *r);
/* Hundredths of a percent of the limit that are used. */
uint64_t limit_percent(uint64_t used, uint64_t limit);
