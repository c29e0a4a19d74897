/* SPDX-License-Identifier: MIT */
/* Finding the objects that references mean. */
#pragma once

#include "cmd/select.h"

/*
 * Looks a target up in a snapshot. Returns how many objects it means (indices in
 * m), or -1 after saying what is wrong: then *status is the exit status.
 */
int target_resolve(struct context *c, const char *verb, const struct target *t, struct snapshot *s,
		   struct matches *m, int *status);
/* Says that a target, whose look-up gave m, was not found, or why that cannot be told. */
void target_not_found(struct context *c, const char *verb, const struct target *t, const struct snapshot *s,
		      const struct matches *m);
