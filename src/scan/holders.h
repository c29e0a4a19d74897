/* SPDX-License-Identifier: MIT */
/*
 * Who holds what: one walk over /proc, in parallel. A descriptor or a mapping that
 * refers to an object is a holding; holdings are found by the object's key, and
 * objects that live only as long as they are held are listed through them.
 */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/latch.h"
#include "lib/parallel.h"
#include "model/warnings.h"
#include "scan/found.h"
#include "scan/internal.h"
#include "scan/proclocks.h"

enum holding_access {
	ACCESS_READ = 1 << 0,
	ACCESS_WRITE = 1 << 1,
	ACCESS_MASTER = 1 << 2, /* of a pseudo-terminal: it is the master's side */
};

struct holder {
	uint32_t pid;	      /* thread group, as /proc shows it */
	uint32_t uid;	      /* effective */
	uint32_t threads;     /* a leader that has ended included */
	uint64_t start_ticks; /* with pid it identifies the process: field 22 of its stat */
	int64_t start;	      /* the same in seconds since the epoch, as the clock is set now */
	uint32_t session;     /* its session, as the leader's pid */
	uint32_t terminal;    /* its controlling terminal: device number as stat shows it, or 0 */
	int32_t foreground;   /* process group in the foreground of that, or -1 */
	struct span command;
};

#define NO_HOLDING UINT32_MAX

struct holding {
	uint64_t ino;	 /* of its key */
	uint32_t dev;	 /* of its key, packed */
	uint32_t holder; /* index */
	uint32_t next;	 /* number of the next holding of the same object, or NO_HOLDING */
	int32_t fd;	 /* or -1 - index of its range: it is a mapping */
	uint32_t tid;	 /* the thread whose own table of descriptors it is in; 0: the process's */
	uint8_t class;	 /* of its key */
	uint8_t access;	 /* of enum holding_access; of descriptors only if it was asked for */
};

/* What a mapping covers. */
struct range {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* in the object, bytes */
};

/* An object that is held, by the numbers of its first and last holding. */
struct held_object {
	uint32_t first, last;
	uint32_t position; /* among the objects of its class */
};

/* Objects of one class, in the order in which they are met going up the pids. */
struct object_list {
	uint32_t *items; /* the first holding of each */
	size_t count;
};

struct holders {
	struct holder *items; /* in the order of pids; those that hold nothing too */
	size_t count;
	/* Each thread's stay where it put them: number N is that of N - bases[t] of the t-th,
	 * the last with bases[t] <= N. */
	struct holding *holdings[MOST_THREADS];
	uint32_t bases[MOST_THREADS];
	unsigned nthreads;
	size_t nholdings; /* in all */
	struct range *ranges;
	struct held_object *objects;
	size_t nobjects;
	struct hash index; /* key -> object */
	struct object_list classes[OBJECT_CLASSES];
	struct found_file *files;
	size_t nfiles;
	struct lock_set locks;		 /* those of OBJECT_LOCK, by their numbers */
	struct hash file_index;		 /* key -> file */
	struct arena *arenas;		 /* MOST_THREADS of them: they keep the strings */
	struct internal_devices devices; /* of the kernel's own memory */
	uint64_t unreadable;		 /* processes that could not be read whole */
	uint64_t unidentified;		 /* descriptors whose object this kernel does not tell */
	uint64_t elsewhere; /* processes with sockets in another network namespace, if sockets were looked for
			     */
	int hidden;	    /* of pids_may_hide(): not 0 if processes may exist that /proc does not show */
	bool walked;
};

/* What a walk is to look for. */
struct holders_request {
	unsigned classes;	 /* 1 << enum object_class, or-ed together */
	const uint64_t *devices; /* OBJECT_FILE: files of these devices (makedev(3)), in ascending order */
	size_t ndevices;
	bool mapped_files; /* which may be mapped */
	/* Mappings of these devices, in ascending order, are no file mappings: they are objects of their own.
	 */
	const uint64_t *excluded;
	size_t nexcluded;
	/* OBJECT_LOCK: what /proc/locks says, which tells whose descriptors need no look. */
	const struct proc_locks *locks;
	/* Open once that is read, which is some of the work beside; NULL: it is read already. */
	struct latch *locks_read;
	bool access;	  /* what descriptors are open for, too */
	bool everywhere;  /* segments of other IPC namespaces, too */
	bool own_proc;	  /* proc is of this system: its numbers mean something to kcmp(2) */
	unsigned threads; /* at most; 0: as many as there are processors */
	/* Other work that the threads of the walk are to do before it, or NULL. */
	const struct parallel_work *beside;
	/* Asked, with its context, when all processes were looked at: work for the other threads while one
	 * puts together what was found. It returns NULL, or is NULL: there is none. */
	const struct parallel_work *(*after)(void *context);
	void *after_context;
};

/*
 * Walks over all processes of proc (a directory descriptor). Those that end
 * meanwhile are no news; those that cannot be read are counted and warned of. 0 or -errno.
 */
int holders_walk(struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings) _must_check_;
void holders_free(struct holders *h);
/* The holding of a number. */
static inline struct holding *holding_at(const struct holders *h, uint32_t number)
{
	unsigned t = h->nthreads - 1;

	while (number < h->bases[t])
		t--;
	return &h->holdings[t][number - h->bases[t]];
}
/* What holders_find() reads, each where the one before says. */
enum holders_step {
	STEP_SLOT,
	STEP_OBJECT,
	STEP_HOLDING,
	HOLDERS_STEPS,
};

/* Has one of them fetched into the processor's cache, for an object that will soon be looked for: those
 * before it should be there by then. Memory is slow, and there may be hundreds of thousands to find. */
void holders_prefetch(const struct holders *h, const struct object_key *key, enum holders_step step);
/* The first holding of an object, or NULL; then follow with holding_next(): in the order of pids. */
const struct holding *holders_find(const struct holders *h, const struct object_key *key);
static inline const struct holding *holding_next(const struct holders *h, const struct holding *holding)
{
	return holding->next == NO_HOLDING ? NULL : holding_at(h, holding->next);
}
/* Position of an object among those of its class, or -ENOENT. */
int64_t holders_position(const struct holders *h, const struct object_key *key);
/* The first holding of the i-th object of a class. */
static inline const struct holding *object_holding(const struct holders *h, enum object_class class, size_t i)
{
	return holding_at(h, h->classes[class].items[i]);
}
static inline const struct holder *holding_holder(const struct holders *h, const struct holding *holding)
{
	return &h->items[holding->holder];
}
/* What a mapping covers; NULL of a descriptor. */
static inline const struct range *holding_range(const struct holders *h, const struct holding *holding)
{
	return holding->fd < 0 ? &h->ranges[-1 - holding->fd] : NULL;
}
struct object_key holding_key(const struct holding *holding);
/* What was seen of the object as a file, or NULL. */
const struct found_file *holders_file(const struct holders *h, const struct object_key *key);
