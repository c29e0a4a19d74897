/* SPDX-License-Identifier: MIT */
/* Whether a number still means the same process. */
#pragma once

#include "scan/context.h"

/*
 * When the process with this number was started, in ticks: with the number it identifies
 * the process. 0, or -errno; -ENOENT or -ESRCH: there is none.
 */
int pid_start_ticks(const struct scan_context *context, uint32_t pid, uint64_t *ticks) _must_check_;
