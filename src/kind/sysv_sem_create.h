/* SPDX-License-Identifier: MIT */
#pragma once

#include "kind/kind.h"
#include "scan/sysv_abi.h"

#define SYSV_SEM_VALUE_MAX 32767 /* SEMVMX, the same in every kernel */
#define SYSV_SEM_NCREATE_OPTS 8

extern const struct opt sysv_sem_create_opts[SYSV_SEM_NCREATE_OPTS];

/* As kind->create. */
int sysv_sem_create(const struct create_args *args, struct report *report);
