/* SPDX-License-Identifier: MIT */
/* The JSON Schema (draft 2020-12) of list and describe, from the field tables. */
#pragma once

#include "lib/buf.h"

/* Appends it. 0 or -ENOMEM. */
int json_schema_print(struct buf *out) _must_check_;
