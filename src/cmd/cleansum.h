/* SPDX-License-Identifier: MIT */
/* What a plan, and what became of it, sums up to. */
#pragma once

#include "cmd/cleaning.h"

/* Appends "3 objects, 12M": those of the plan with that outcome. */
void cleaning_put_sum(struct buf *b, const struct cleaning *clean, enum clean_outcome outcome);
/* The closing line, on standard error. */
void cleaning_say_sum(struct context *c, const struct cleaning *clean, bool removed);
