/* SPDX-License-Identifier: MIT */
/* Taking a lock, as flock(1) does. */
#pragma once

#include "kind/kind.h"
#include "scan/lockset.h"

#define CREATE_OPT_SHARED                                                                                    \
	{                                                                                                    \
		.name = "shared", .type = OPT_FLAG, .offset = offsetof(struct create_args, shared),          \
		.help = "shared (read), not exclusive (write)"                                               \
	}
#define CREATE_OPT_NONBLOCK                                                                                  \
	{                                                                                                    \
		.name = "nonblock", .type = OPT_FLAG, .offset = offsetof(struct create_args, nonblock),      \
		.help = "fail rather than wait for it"                                                       \
	}
#define CREATE_OPT_WAIT                                                                                      \
	{                                                                                                    \
		.name = "timeout", .type = OPT_AGE, .arg = "AGE",                                            \
		.offset = offsetof(struct create_args, timeout),                                             \
		.help = "fail if it was not to be had for so long"                                           \
	}

/* Takes a lock of that type on args->name, which is made if there is no such file (but for a
 * lease). As kind->create; `kind`: its name. */
int lock_create(const struct create_args *args, enum lock_type type, const char *kind,
		struct report *report) _must_check_;
