/* SPDX-License-Identifier: MIT */
#pragma once

#include <linux/capability.h>

#include "lib/base.h"

/* Of newer kernels than some headers. */
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* A capability (CAP_SYS_ADMIN ..., capabilities(7)) as a member of a set: sets are or-ed together. */
#define CAPABILITY(number) ((uint64_t)1 << (number))

/* Whether this thread has a capability in its user namespace, in force. */
bool capability_has(int capability);
/* "CAP_SYS_PTRACE", of those that show something; NULL for others. */
const char *capability_name(int capability);
/*
 * Gives up for good whatever is not in `kept`, of the capabilities that this process may use; all that a
 * program that it executes would inherit; and, where CAP_SETPCAP allows it, what one could gain. From
 * then on no program gives it more (PR_SET_NO_NEW_PRIVS). Only the calling thread is meant: it is to be
 * called before there are others. 0, or -errno: some are left that should not be.
 */
int capabilities_keep(uint64_t kept) _must_check_;
