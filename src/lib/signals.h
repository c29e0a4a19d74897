/* SPDX-License-Identifier: MIT */
/* Signals by name. */
#pragma once

#include "lib/buf.h"

/*
 * "TERM", "SIGTERM", "RTMIN+1", "RTMAX-2" (in any case) or a number from 1 on. 0, -EINVAL,
 * or -ERANGE: no signal has that number. On failure *number is untouched.
 */
int parse_signal(struct span s, int *number) _must_check_;
/* Appends its name: "SIGTERM", "SIGRTMIN+1"; or its number where it has none. */
void signal_name_into(struct buf *b, int number);
/* The i-th name without SIG, as completion offers them; NULL behind the last. */
const char *signal_name_at(size_t i);
