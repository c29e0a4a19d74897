/* SPDX-License-Identifier: MIT */
/*
 * A POSIX semaphore as it lies in a file. The layouts are those of glibc's
 * struct new_sem (sysdeps/nptl/internaltypes.h, since 2.21) and of musl's sem_t
 * (src/internal/pthread_impl.h, sem_post.c), each for 64-bit and 32-bit programs.
 */
#pragma once

#include "lib/base.h"

enum semaphore_layout {
	LAYOUT_NONE,
	LAYOUT_GLIBC_64,
	LAYOUT_GLIBC_32,
	LAYOUT_MUSL_64,
	LAYOUT_MUSL_32,
};

struct semaphore {
	enum semaphore_layout layout;
	uint32_t value;
	uint32_t waiters; /* as the memory says; killed ones stay counted */
};

/* sizeof(sem_t) of 64-bit and of 32-bit programs, glibc and musl alike. */
#define SEMAPHORE_SIZE_64 32
#define SEMAPHORE_SIZE_32 16

/* Decodes the bytes of a whole file; layout is LAYOUT_NONE if it is no semaphore. */
void semaphore_decode(struct span bytes, struct semaphore *out);

static inline bool semaphore_is_musl(const struct semaphore *s)
{
	return s->layout == LAYOUT_MUSL_64 || s->layout == LAYOUT_MUSL_32;
}
