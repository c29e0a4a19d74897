/* SPDX-License-Identifier: MIT */
/*
 * What a libc keeps around a futex word: semaphores, mutexes, read-write locks and condition
 * variables that processes share. The layouts are those of glibc since 2.25
 * (sysdeps/nptl/bits/struct_mutex.h, struct_rwlock.h, thread-shared-types.h, internaltypes.h)
 * and of musl 1.2 (src/internal/pthread_impl.h).
 *
 * Whoever may write to the memory decides what it looks like: a layout is an opinion, and the
 * confidence says on what it rests.
 */
#pragma once

#include "lib/base.h"

enum futex_type { FUTEX_UNKNOWN, FUTEX_SEMAPHORE, FUTEX_MUTEX, FUTEX_COND, FUTEX_RWLOCK };

enum futex_confidence {
	CONFIDENCE_NONE,
	CONFIDENCE_GUESS,   /* the bytes look like it; the kernel says nothing */
	CONFIDENCE_LIKELY,  /* and so does how tasks wait */
	CONFIDENCE_CERTAIN, /* and that is the libc which the task has mapped */
};

enum futex_libc { LIBC_UNKNOWN, LIBC_GLIBC, LIBC_MUSL };

/* What the kernel says of a word. */
enum futex_operation {
	FUTEX_OP_NONE,	      /* nothing: somebody asks for what lies there */
	FUTEX_OP_WAIT,	      /* FUTEX_WAIT */
	FUTEX_OP_WAIT_BITSET, /* FUTEX_WAIT_BITSET */
	FUTEX_OP_LOCK_PI,     /* FUTEX_LOCK_PI, FUTEX_LOCK_PI2 */
	FUTEX_OP_REQUEUE_PI,  /* FUTEX_WAIT_REQUEUE_PI */
	FUTEX_OP_WAITV,	      /* futex_waitv(2) */
	FUTEX_OP_WAIT2,	      /* futex_wait(2) of Linux 6.7 */
	FUTEX_OP_HELD,	      /* it is in the list of robust futexes of a task */
};

enum futex_protocol { PROTOCOL_NONE, PROTOCOL_INHERIT, PROTOCOL_PROTECT };

/* Bytes around the word that could be read. */
struct futex_window {
	const unsigned char *bytes;
	size_t before;	 /* bytes of them that lie before the word */
	size_t size;	 /* all of them; the word's own four included */
	uint64_t offset; /* of the word in its object, for alignment */
};

/* So many bytes before and behind the word are enough for everything. */
#define FUTEX_BEFORE 44
#define FUTEX_BEHIND 56
/* Bits of the lock word of a robust or priority-inheriting mutex (linux/futex.h). */
#define FUTEX_WORD_WAITERS 0x80000000u
#define FUTEX_WORD_OWNER_DIED 0x40000000u
#define FUTEX_WORD_TID 0x3fffffffu

struct futex_hint {
	enum futex_operation operation;
	uint32_t value; /* that the task expected in the word when it went to sleep */
	enum futex_libc libc;
	bool narrow; /* the program has words of 32 bits */
	bool recent; /* its glibc is likely to be 2.41 or newer */
};

struct futex_decoded {
	enum futex_type type;
	enum futex_confidence confidence;
	enum futex_libc libc;
	bool narrow;
	uint32_t before; /* bytes from the object's beginning to the word */
	uint32_t size;	 /* bytes of the object */
	uint32_t value;	 /* of a semaphore */
	/* Mutex and (owner, locked) read-write lock. */
	unsigned kind; /* of a mutex: 0 normal, 1 recursive, 2 error-checking, 3 adaptive */
	bool robust, locked, owner_died;
	enum futex_protocol protocol;
	uint32_t owner; /* thread, by its number in its own PID namespace; 0: not told */
	uint32_t count; /* how often a recursive mutex is locked */
	uint32_t readers;
};

/*
 * Decodes. With FUTEX_OP_NONE an object is looked for that begins at the word; else the word may
 * lie inside. FUTEX_UNKNOWN if nothing fits, or more than one thing does.
 */
void futex_decode(const struct futex_window *window, const struct futex_hint *hint,
		  struct futex_decoded *out);
