/* SPDX-License-Identifier: MIT */
/* The queues of pending signals, entry by entry. */
#pragma once

#include "kind/kind.h"

/* Rows {signal, number, tid, code, sender_pid, sender_command, sender, sender_uid, value, pointer,
 * timer, fd}. */
extern const struct schema signal_queue_schema;

/* Reads the queues, if --queue allows it: a row for each entry, and whether some were left out.
 * 0, PROJECT_SKIP (the process has ended) or -ENOMEM. */
int signal_queue_project(struct projector *p, struct record *r, const struct signal_process *process,
			 size_t queue_field, size_t cut_field) _must_check_;
