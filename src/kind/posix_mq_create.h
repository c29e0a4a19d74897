/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"

#define POSIX_MQ_NCREATE_OPTS 5

extern const struct opt posix_mq_create_opts[POSIX_MQ_NCREATE_OPTS];

/* As kind->create. */
int posix_mq_create(const struct create_args *args, struct report *report);
