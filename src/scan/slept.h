/* SPDX-License-Identifier: MIT */
/* How long a thread has slept. */
#pragma once

#include "scan/context.h"

/*
 * How many seconds ago that thread ran last: se.exec_start in /proc/PID/task/TID/sched. That is
 * told by a clock of the processor it ran on, which leaves out what the hypervisor and interrupts
 * took; so the thread that asks goes there for a moment to read the same clock. 0, or -errno;
 * -ENOENT: the kernel does not tell (CONFIG_SCHED_DEBUG), or the thread has ended; -EINVAL: that
 * processor is not ours to run on.
 */
int task_slept(const struct scan_context *context, uint32_t pid, uint32_t tid,
	       uint64_t *seconds) _must_check_;
/* When a thread ran last, in milliseconds of that clock, from the text of such a file. 0, -ENOENT: it does not
 * tell, -EINVAL or -ERANGE. */
int sched_last_run_parse(struct span text, uint64_t *milliseconds) _must_check_;
