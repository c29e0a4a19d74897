/* SPDX-License-Identifier: MIT */
/* Process numbers: does one still mean the same process, and does /proc show all? */
#pragma once

#include "scan/context.h"

/*
 * When the process with this number was started, in ticks: with the number it identifies
 * the process. 0, or -errno; -ENOENT or -ESRCH: there is none.
 */
int pid_start_ticks(const struct scan_context *context, uint32_t pid, uint64_t *ticks) _must_check_;
/*
 * Whether processes may exist that the /proc of this descriptor does not show: it is that of a
 * PID namespace inside another, or it shows fewer threads (`seen`) than the kernel counts
 * (hidepid). Some may have come or gone since they were counted.
 */
bool pids_may_hide(int proc, uint64_t seen);
