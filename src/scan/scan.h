/* SPDX-License-Identifier: MIT */
/*
 * What can be gathered from the system, and the snapshot it is gathered into.
 *
 * A command asks its kinds which sources they need, takes one snapshot of
 * exactly those, and hands it to the kinds to project into records. A snapshot
 * does not change once taken.
 */
#pragma once

#include <time.h>

#include "model/warnings.h"
#include "scan/binds.h"
#include "scan/blocked.h"
#include "scan/context.h"
#include "scan/futexes.h"
#include "scan/holders.h"
#include "scan/hugepages.h"
#include "scan/inetdiag.h"
#include "scan/inhabitants.h"
#include "scan/lockwaits.h"
#include "scan/mqueue.h"
#include "scan/openers.h"
#include "scan/owners.h"
#include "scan/pathfiles.h"
#include "scan/place.h"
#include "scan/process.h"
#include "scan/shmtree.h"
#include "scan/signals.h"
#include "scan/sysvipc.h"
#include "scan/tasks.h"
#include "scan/unixdiag.h"
#include "scan/users.h"

enum source {
	SOURCE_SYSV_SHM = 1 << 0, /* /proc/sysvipc/shm */
	SOURCE_SYSV_SEM = 1 << 1, /* /proc/sysvipc/sem */
	SOURCE_SYSV_MSG = 1 << 2, /* /proc/sysvipc/msg */
	SOURCE_SHMTREE = 1 << 3,  /* what is in /dev/shm */
	SOURCE_MQUEUE = 1 << 4,	  /* the mqueue file system of this IPC namespace */
	SOURCE_HOLDERS = 1 << 5,  /* /proc/PID/fd and maps, for the objects of the others */
	SOURCE_SHMROOT = 1 << 6,  /* /dev/shm itself, not what is in it */
	SOURCE_UNIX = 1 << 7,	  /* unix sockets of this network namespace */
	SOURCE_INET = 1 << 8,	  /* internet sockets of it */
	SOURCE_PATHS = 1 << 9,	  /* FIFOs and socket files below the directories asked for */
	SOURCE_ACCESS = 1 << 10,  /* with holders: what their descriptors are open for */
	SOURCE_OPENERS = 1 << 11, /* tasks that are blocked in open(2) of a FIFO */
	SOURCE_PIPE = 1 << 12,	  /* objects that /proc/PID/fd and maps alone show */
	SOURCE_FIFO = 1 << 13,
	SOURCE_MEMFD = 1 << 14,
	SOURCE_EVENTFD = 1 << 15,
	SOURCE_PTY = 1 << 16,
	SOURCE_FILE_MAPPING = 1 << 17,
	SOURCE_ANON_MAPPING = 1 << 18,
	SOURCE_PEERS = 1 << 19,	    /* with unix sockets: who is at the other end of each */
	SOURCE_TASKS = 1 << 20,	    /* what every task is blocked in */
	SOURCE_LOCKS = 1 << 21,	    /* /proc/locks; with holders: what fdinfo tells of locks, too */
	SOURCE_BLOCKED = 1 << 22,   /* which objects tasks are blocked on */
	SOURCE_SIGNALS = 1 << 23,   /* /proc/PID/task/TID/status: processes with pending signals */
	SOURCE_FUTEX = 1 << 24,	    /* shared futexes that tasks wait for, with who has their memory mapped */
	SOURCE_ROBUST = 1 << 25,    /* with those: robust lists, for such as are only held */
	SOURCE_ADDRESSES = 1 << 26, /* with unix sockets: what each is bound to */
	SOURCE_QUEUES = 1 << 27,    /* with unix sockets: how much waits in each */
};

/* What shows objects that nobody waits for. */
#define SOURCES_NOT_AWAITED SOURCE_ROBUST

/* Objects that a walk over processes alone shows. */
#define SOURCES_HELD                                                                                         \
	(SOURCE_PIPE | SOURCE_FIFO | SOURCE_MEMFD | SOURCE_EVENTFD | SOURCE_PTY | SOURCE_FILE_MAPPING |      \
	 SOURCE_ANON_MAPPING | SOURCE_FUTEX)

/* What takes a walk over processes. */
#define SOURCES_WALKED                                                                                       \
	(SOURCES_HELD | SOURCE_HOLDERS | SOURCE_ACCESS | SOURCE_OPENERS | SOURCE_TASKS | SOURCE_BLOCKED)

/* What takes a look at processes, and objects that it alone shows. */
#define SOURCES_PROCESSES (SOURCES_WALKED | SOURCE_SIGNALS)
#define SOURCES_SHOWN (SOURCES_HELD | SOURCE_SIGNALS)

/* How closely to look; all off is the harmless look that leaves no trace. */
struct scan_depth {
	bool content;	      /* contents too (--content) */
	uint64_t content_max; /* at most so many bytes of each object */
	bool attach;	      /* shmat(2) is allowed: moves times and lpid (--attach) */
	bool status;	      /* a queue's status line is read: moves atime and ctime (--status) */
	bool prove;	      /* files may be opened for a moment (--prove): scan/lease.h */
	bool queue;	      /* a process may be stopped to read its queue of signals (--queue) */
	bool no_processes;    /* processes are not looked at (--no-holders): no SOURCES_PROCESSES */
};

struct scan_request {
	unsigned sources;    /* of enum source */
	unsigned incidental; /* those of them that may fail without a warning */
	struct scan_depth depth;
	/* Only these names are looked up in /dev/shm or mqueue, unless count is 0. */
	struct name_list shm_names;
	struct name_list queue_names;
	/* FIFOs and socket files: below these directories, and these very files. */
	struct name_list directories;
	struct name_list files;
	/* Signals: of these processes alone, by number, unless count is 0. */
	struct name_list processes;
	/* Numbers of namespaces that references name: those are looked at, too. */
	uint64_t *place_numbers;
	size_t nplace_numbers;
	unsigned threads;   /* at most, for the walk over processes; 0: one a processor */
	struct arena arena; /* for names that have to be made up */
};

void scan_request_free(struct scan_request *request);
/* Asks for a namespace, too. 0 or -ENOMEM. */
int scan_request_place(struct scan_request *request, uint64_t ino) _must_check_;

/* Which sort of namespace a source belongs to. */
#define SOURCES_IPC (SOURCE_SYSV_SHM | SOURCE_SYSV_SEM | SOURCE_SYSV_MSG | SOURCE_MQUEUE)
#define SOURCES_SHM (SOURCE_SHMTREE | SOURCE_SHMROOT)
#define SOURCES_NET (SOURCE_UNIX | SOURCE_INET)

struct snapshot {
	const struct scan_context *context;
	struct scan_depth depth;
	unsigned sources;	   /* what was asked for */
	unsigned failed;	   /* sources whose part is empty or cut short because of an error */
	unsigned lost;		   /* those of them where it was for another reason than permission */
	time_t taken;		   /* seconds since the epoch */
	struct sysv_table sysv[3]; /* of enum sysv_kind */
	struct shmtree shm;
	struct mqueue queues;
	struct unix_sockets unix_sockets;
	struct inet_sockets inet_sockets;
	struct path_files paths;
	struct tasks tasks;
	struct openers openers;
	struct blocked_tasks blocked;
	struct proc_locks locks;
	struct lock_waits lock_waits;
	struct process_signals signals;
	struct futexes futexes;
	struct holders holders;
	/* Where the objects are that belong to a namespace: the place of this process, or of views another.
	 * A view is the same snapshot seen from there, with the objects of that place; all else it shares. */
	const struct place *place;
	bool elsewhere; /* it is a view */
	uint64_t ipcns; /* the IPC namespace, as sysv_number() takes it */
	int diag;	/* for sock_diag_dump() and sock_diag_destroy() */
	struct places places;
	struct snapshot *views;
	size_t nviews;
};

/*
 * What one thread needs to turn a snapshot into records: the snapshot, which
 * nobody changes, and caches of its own for what is looked up by number.
 */
struct projector {
	const struct snapshot *snapshot;
	struct fieldset want; /* of the schema that is being projected */
	bool brief; /* of tasks that wait, and owners, only what costs no look at each: who, and for what */
	struct users users;
	struct processes processes;
	struct huge_pages huge_pages;
	struct owners owners;		/* once a verdict needed them */
	struct bind_sources binds;	/* likewise */
	struct inhabitants inhabitants; /* containers of processes that were asked for */
};

void projector_free(struct projector *p);
/* Whether memory ran out for something that it asked: what it told is wanting. */
static inline bool projector_failed(const struct projector *p)
{
	return p->users.failed || p->processes.failed;
}

/*
 * Gathers what the request asks for. A source that cannot be read leaves a
 * warning and an empty table, not an error: -ENOMEM is the only one. The
 * caller frees *snapshot in any case.
 */
int snapshot_take(struct snapshot *snapshot, const struct scan_context *context,
		  const struct scan_request *request, struct warnings *warnings) _must_check_;
void snapshot_free(struct snapshot *snapshot);
/* The sources that are cut short, here or in any view. */
unsigned snapshot_failed(const struct snapshot *s);
/* Those of them where another look may find more. */
unsigned snapshot_lost(const struct snapshot *s);
/* How many processes could not be read, as far as it is known. */
uint64_t snapshot_unreadable(const struct snapshot *snapshot);
