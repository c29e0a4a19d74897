/* SPDX-License-Identifier: MIT */
/* A value as the user spells it; the inverse of model/format.h, and more lenient. */
#pragma once

#include "model/record.h"

/*
 * Parses a whole word as a value of this type: see model/filter.h for the forms.
 * Strings live in the arena. 0, -EINVAL, -ERANGE or -ENOMEM.
 */
int value_parse(struct span s, enum field_type type, struct arena *arena, struct value *v) _must_check_;
/* What would have been right: "a size such as 4096, 64K or 2G". */
const char *value_expected(enum field_type type);
