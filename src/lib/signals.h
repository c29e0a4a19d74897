/* SPDX-License-Identifier: MIT */
/* Signals by name. */
#pragma once

#include <signal.h>

#include "lib/buf.h"

/*
 * "TERM", "SIGTERM", "RTMIN+1", "RTMAX-2", "SIG32" (in any case) or a number from 1 on. 0, -EINVAL,
 * or -ERANGE: no signal has that number. On failure *number is untouched.
 */
int parse_signal(struct span s, int *number) _must_check_;
/* Appends its name: "SIGTERM", "SIGRTMIN+1"; "SIG32" of one that libc keeps for itself. */
void signal_name_into(struct buf *b, int number);
/* Appends the names of all signals in a mask, of which bit n - 1 stands for signal n, with a blank
 * between two. */
void signal_names_into(struct buf *b, uint64_t mask);
/* Adds a signal to a set, unless whoever started us wanted it ignored: a blocked signal is kept even then,
 * and would be taken for one that was meant. */
void signal_add_unless_ignored(sigset_t *set, int number);
/* The i-th name without SIG, as completion offers them; NULL behind the last. */
const char *signal_name_at(size_t i);
