/* SPDX-License-Identifier: MIT */
/*
 * Places: where the names and numbers of objects mean others than here. System V objects and message
 * queues belong to an IPC namespace, /dev/shm to a mount namespace, sockets to a network namespace
 * (namespaces(7)). The objects of another are seen, and changed, by who is in it: a child process enters
 * it (setns(2)), never this one.
 */
#pragma once

#include "scan/context.h"
#include "scan/inetdiag.h"
#include "scan/mqueue.h"
#include "scan/shmtree.h"
#include "scan/sysvipc.h"
#include "scan/unixdiag.h"

enum place_part { PLACE_IPC, PLACE_SHM, PLACE_NET, PLACE_PARTS };

/* How a namespace is reached. */
struct place_door {
	uint32_t pid, tid; /* a task that is in it, or that has it open or in sight */
	int fd;		   /* its descriptor of it; or -1 */
	struct span
		path; /* where it is mounted, as that task sees it, or as this process (pid 0); terminated */
};

struct place_namespace {
	uint64_t ino; /* 0: nothing of that sort is looked at here */
	struct place_door door;
	int error;  /* why it could not be looked at, or its number not be read: 0 or -errno */
	bool empty; /* no task is in it */
};

struct place {
	struct place_namespace parts[PLACE_PARTS];
	bool named;   /* it was asked for by itself, not as one of all */
	uint32_t pid; /* the first process that is in it, or 0 */
	/* What was found. */
	int ipc;  /* descriptor of the IPC namespace, or -1 */
	int diag; /* sock_diag(7) of the network namespace, or -1 */
	struct sysv_table sysv[3];
	struct mqueue queues;
	struct shmtree shm;
	struct unix_sockets unix_sockets;
	struct inet_sockets inet_sockets;
	unsigned failed; /* sources (scan.h) that are empty or cut short */
	unsigned lost;	 /* those of them where another look may find more */
};

struct places {
	struct place here;	       /* of this process: its numbers; what was found is in the snapshot */
	bool here_wanted[PLACE_PARTS]; /* its objects of that sort are to be looked at */
	struct place *items;	       /* others */
	size_t count;
	bool everywhere; /* a reference without a number means objects of each of them */
	struct arena arena;
};

/* The numbers of the namespaces that this process is in. */
void place_of_self(struct place *place);
/* "ipc", "mnt", "net": as in /proc/PID/ns. */
extern const char *const place_part_names[PLACE_PARTS];
/* The number of a namespace in front of a reference: "4026532177/...": its length with the slash, or 0. */
size_t place_prefix(struct span text, uint64_t *ino);

/*
 * Opens a namespace by its door, and makes sure that it is the one of this number and sort. A descriptor,
 * or -errno: -ESTALE: it is gone, and another is there; -EINVAL: it is of another sort, or no namespace.
 * May wait for file systems that others have mounted: for a child process with a time limit.
 */
int place_open(const struct scan_context *context, const struct place_namespace *ns,
	       enum place_part part) _must_check_;

/*
 * What every child process that enters a place does first: it ends with its parent, and has nothing of what
 * the parent reads or writes, for whoever is at the other end would wait for one that hangs. May exit.
 */
void place_child(pid_t parent);

/* Seconds that one place may take. */
#define PLACE_SECONDS INT64_C(5)
/* Of CLOCK_MONOTONIC. */
int64_t milliseconds(void);
/* Descriptors of one that stay open. */
#define GIVEN_MOST 4

/*
 * Runs work() in a child process that is in the IPC namespace of the place. It sees all that this process
 * has in memory, and leaves nothing but its answer. 0 with that appended to *answer, or -errno:
 * -ETIMEDOUT: it did not end in time, and was killed.
 */
int place_call(const struct place *place, void (*work)(void *context, struct buf *answer), void *context,
	       struct buf *answer) _must_check_;

void place_free(struct place *place);
void places_free(struct places *places);
