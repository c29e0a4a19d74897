/* SPDX-License-Identifier: MIT */
/* Evidence for `state` that several kinds weigh. */
#pragma once

#include "kind/kind.h"

enum recorded {
	PROCESS_GONE,
	PROCESS_ALIVE,
	PROCESS_CANNOT_TELL, /* outside this PID namespace, or not readable */
};

/*
 * What became of a process that an object records. One that was started after
 * `until` (seconds since the epoch), when the object recorded it, is another
 * process that was given the same number. *process is set where alive.
 */
enum recorded recorded_process(struct projector *p, uint32_t pid, int64_t until,
			       const struct process **process);
