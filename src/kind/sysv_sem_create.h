/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/sem.h>

#include "kind/kind.h"

#define SYSV_SEM_VALUE_MAX 32767 /* SEMVMX, the same in every kernel */
#define SYSV_SEM_NCREATE_OPTS 8

/* semctl(2): the caller defines it. */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

extern const struct opt sysv_sem_create_opts[SYSV_SEM_NCREATE_OPTS];

/* As kind->create. */
int sysv_sem_create(const struct create_args *args, struct report *report);
