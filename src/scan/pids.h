/* SPDX-License-Identifier: MIT */
/* Process numbers: does one still mean the same process, and does /proc show all? */
#pragma once

#include "lib/capability.h"
#include "model/warnings.h"
#include "scan/context.h"

/* What it takes to look at processes of others, and at their descriptors and system calls: a set of
 * lib/capability.h. */
#define RIGHTS_OF_MAPPINGS CAPABILITY(CAP_SYS_PTRACE)
#define RIGHTS_OF_DESCRIPTORS (CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_DAC_READ_SEARCH))

/*
 * When the process with this number was started, in ticks: with the number it identifies
 * the process. 0, or -errno; -ENOENT or -ESRCH: there is none.
 */
int pid_start_ticks(const struct scan_context *context, uint32_t pid, uint64_t *ticks) _must_check_;
/*
 * Whether processes may exist that the /proc of this descriptor does not show: it is that of a
 * PID namespace inside another, or it shows fewer threads (`seen`) than the kernel counts
 * (hidepid). Some may have come or gone since they were counted. 1, 0, or -errno: it cannot be told, and some
 * may.
 */
int pids_may_hide(int proc, uint64_t seen) _must_check_;
/* Warns of what that returned if it is not 0, with what hides them as far as that can be told. text: what it
 * means; it must live for ever. */
void pids_warn_hidden(int proc, int hidden, const char *text, struct warnings *warnings);
