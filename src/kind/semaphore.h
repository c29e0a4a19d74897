/* SPDX-License-Identifier: MIT */
/*
 * A POSIX semaphore as it lies in a file. The layouts are those of glibc's
 * struct new_sem (sysdeps/nptl/internaltypes.h, since 2.21) and of musl's sem_t
 * (src/internal/pthread_impl.h, sem_post.c), each for 64-bit and 32-bit programs.
 */
#pragma once

#include "scan/shmtree.h"

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

/* Decodes the bytes of a whole file; layout is LAYOUT_NONE if it is no semaphore. */
void semaphore_decode(struct span bytes, struct semaphore *out);
/* Reads and decodes an entry, disturbing nothing. 0 or -errno. */
int semaphore_read(const struct shmtree *t, const struct shm_entry *e, struct semaphore *out) _must_check_;
/*
 * Whether an entry is listed as a semaphore: a file called sem.NAME, or one
 * without that prefix that reads as a semaphore of musl, which has none. A file
 * of zeroes only is left a segment.
 */
bool semaphore_claims(const struct shmtree *t, const struct shm_entry *e, struct semaphore *out);
