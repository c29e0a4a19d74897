/* SPDX-License-Identifier: MIT */
/* Making and clearing futexes in files of /dev/shm. */
#pragma once

#include "kind/kind.h"

/* As kind->create and kind->remove. */
int futex_create(const struct create_args *args, struct report *report) _must_check_;
int futex_remove(struct snapshot *s, size_t i, struct report *report);
