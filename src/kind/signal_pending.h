/* SPDX-License-Identifier: MIT */
/* Signals by name, and why they are pending. */
#pragma once

#include "kind/common.h"

/* Rows {signal, number, tid, why, action}. */
extern const struct schema signal_pending_schema;

/* The names of the signals in a mask; absent if it is empty. */
void record_signals(struct record *r, size_t field, uint64_t mask);
/* What keeps the pending signals of a process from being delivered: in short, and a row for each.
 * Fills the wanted ones of both fields. 0 or -ENOMEM. */
int signal_pending_project(struct projector *p, struct record *r, const struct signal_process *process,
			   size_t why_field, size_t list_field) _must_check_;
