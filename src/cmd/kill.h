/* SPDX-License-Identifier: MIT */
/* The holders of what `remove` was told to remove, and signals to them. */
#pragma once

#include "cmd/plan.h"

/* The signal that --kill asks for. -1 to go on, or the exit status. */
int kill_signal(struct context *c, int *number);
/* Refuses --kill where the holders of some target cannot be told. As above. */
int kill_check(struct context *c, const struct targets *targets);
/*
 * Shows who holds the planned objects, asks where somebody can be asked, and signals
 * exactly those. Marks what goes with its holders as ended. As above.
 */
int kill_holders(struct plan *p, int number);
/* Appends " (held by 12 (bash), 13 (cat))": raw bytes. */
void kill_name_holders(const struct plan *p, const struct removal *r, struct buf *b);
