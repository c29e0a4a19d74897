/* SPDX-License-Identifier: MIT */
/*
 * Futexes that processes share and that somebody waits for or holds: waits as tasks show them
 * (scan/tasks.h), and the lists of robust mutexes that tasks have told the kernel of
 * (get_robust_list(2)). The same word has other addresses in other processes: it is known by the
 * memory it lies in and its place there, as the kernel knows it.
 *
 * Not seen: waiters that were moved from one futex to another (FUTEX_CMP_REQUEUE) and go on
 * sleeping show the first; waits of io_uring show nowhere.
 */
#pragma once

#include "scan/regions.h"
#include "scan/tasks.h"

/* A task that waits for a futex. */
struct futex_waiter {
	uint32_t pid, tid;
	uint64_t address;  /* of the word, in that process */
	uint32_t value;	   /* that it expected there */
	uint8_t operation; /* of enum futex_operation */
};

/* Whose thread number stands in a mutex or lock. */
struct futex_owner {
	enum {
		OWNER_NONE,    /* it is not locked, or does not say by whom */
		OWNER_ALIVE,   /* pid and tid are set */
		OWNER_DEAD,    /* nobody who has the memory mapped has that number */
		OWNER_UNKNOWN, /* somebody out of sight, or of two the one, may be it */
	} state;
	uint32_t pid, tid; /* as /proc shows them */
	int error;	   /* unknown: -errno of who could not be looked at, or 0 */
};

struct futex {
	struct memory_object object;
	uint64_t offset; /* of its beginning in that, bytes */
	struct futex_decoded decoded;
	uint32_t word;		/* the futex itself, as it was read */
	int error;		/* 0, or -errno: it could not be read */
	uint32_t pid;		/* a process that sees it, ... */
	uint64_t address;	/* ... and where it begins there; 0: it was read from a file */
	struct span path;	/* of the memory as that process's maps shows it */
	int64_t entry;		/* OBJECT_FILE: index of the file in /dev/shm, or -ENOENT */
	size_t first, nwaiters; /* among the waiters */
	struct futex_owner owner;
	bool unclear;			 /* a process that has the memory mapped waits for who knows what */
	uint32_t holder_pid, holder_tid; /* a task whose robust list has it, or 0 */
};

struct futexes {
	struct futex *items; /* nordered by memory and place; those asked for later at the end */
	size_t count, nordered;
	struct futex_waiter *waiters; /* those of one futex stand together, in the order of pids */
	size_t nwaiters;
	uint32_t *unclear; /* processes of which a task waits for what could not be understood, ascending */
	size_t nunclear;
	struct arena arena;   /* of those that were asked for later */
	struct arena *arenas; /* MOST_THREADS of them, or NULL: of paths */
	struct mounts mounts;
	bool looked;	     /* they were looked for */
	bool complete;	     /* and every task in sight could be asked, but for those of `unclear` */
	bool lists_complete; /* and all robust lists of those that share memory were read */
	int error;	     /* if that failed for want of descriptors or so: -errno */
};

struct snapshot;

/* Sets futex->entry. 0 or -ENOMEM. */
int futex_find_entry(struct snapshot *s, struct futex *futex) _must_check_;
/*
 * Finds them, from the tasks and holders of the snapshot; then memory is read where it is resident
 * and no file system can be waited for. threads: at most. 0 or -ENOMEM.
 */
int futexes_find(struct snapshot *s, unsigned threads) _must_check_;
void futexes_free(struct futexes *f);
/* Those in that memory that were found from what tasks wait for or hold: the first, and how many. */
const struct futex *futexes_of(const struct futexes *f, const struct memory_object *object, size_t *count);
/* Whether a task of that process waits for something that could not be understood. */
bool futexes_unclear(const struct futexes *f, uint32_t pid);

/*
 * What lies in that process at an address, whether anybody waits or not: its index among the
 * futexes. -ENOENT: no such process, -EFAULT: nothing that processes share lies there,
 * -EINVAL: no futex can be at an odd address, or -errno.
 */
int64_t futexes_at(struct snapshot *s, uint32_t pid, uint64_t address) _must_check_;
/* The same, by the memory: through a process that has it mapped, else through fd (-1: there is none).
 * -EFAULT: the memory ends before that, or nobody in sight has it mapped. */
int64_t futexes_in(struct snapshot *s, const struct memory_object *object, uint64_t offset,
		   int fd) _must_check_;
