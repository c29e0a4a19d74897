/* SPDX-License-Identifier: MIT */
/* What a watch compares, and so has to read, of each kind. */
#pragma once

#include "cmd/listing.h"
#include "cmd/watchstate.h"

struct watch_plan {
	struct watch_kind *kinds; /* in the order of the listing's */
	struct fieldset *read;	  /* likewise: for the listing's sheet */
};

/*
 * Makes the plan for a listing that was prepared. table: what is compared is what the table shows; else,
 * unless -o chooses, the columns that each kind has by itself. What changes by itself, as ages do, is
 * compared only if -o names it. -1 to go on, or the exit status. Free in any case, after the listing.
 */
int watch_plan_init(struct watch_plan *p, struct listing *l, bool table);
void watch_plan_free(struct watch_plan *p);
