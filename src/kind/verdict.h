/* SPDX-License-Identifier: MIT */
/* Evidence for `state` that several kinds weigh. */
#pragma once

#include <pthread.h>

#include "kind/evidence.h"
#include "kind/holding.h"
#include "kind/kind.h"
#include "scan/lease.h"

enum recorded {
	PROCESS_GONE,
	PROCESS_ALIVE,
	PROCESS_CANNOT_TELL, /* outside this PID namespace, or not readable, or the clock may have been set */
};

/*
 * What became of a process that an object records. One that was started after
 * `until` (seconds since the epoch), when the object recorded it, is another
 * process that was given the same number. *process is set where alive.
 */
enum recorded recorded_process(struct projector *p, uint32_t pid, int64_t until,
			       const struct process **process);

/* Where a record keeps the verdict. */
struct verdict_fields {
	size_t state, reason, evidence; /* NO_EVIDENCE: it keeps none */
};
/* Whether any of them is wanted. */
bool wants_verdict(const struct projector *p, const struct verdict_fields *at);

/*
 * Of an object that is proved to be held by nobody, and that records nobody: idle if a process of its owner
 * that is older than the object could come back to it by name, else orphaned. created: no earlier
 * than that, seconds since the epoch. proof: "nobody has it open". 0 or -ENOMEM.
 */
int judge_unheld(struct projector *p, struct record *r, const struct verdict_fields *at, uint32_t uid,
		 int64_t created, const char *proof) _must_check_;

/* A file whose holders the kernel itself is to tell: see scan/lease.h. */
struct leased_file {
	int dir; /* where it lies */
	const char *leaf;
	uint64_t dev, ino;
	struct span path; /* from the root of its file system on, without leading slash */
	uint32_t uid;
	int64_t created; /* as above */
	/* Who waits for the lease in open(2) keeps the directory locked: nothing could be unlinked. */
	bool waits_locked;
	/* It has several names, of which other threads may take leases: held meanwhile. Or NULL. */
	pthread_mutex_t *alone;
	const char *more; /* what is to be said of it with the proof, or "": ", 3 messages" */
};

/*
 * The verdict on a file as far as holders tell: in-use, or unknown. Descriptors of O_PATH alone, which
 * reach no data and which no lease sees, are not proof of either. False: nobody was found, and the kernel
 * itself is to be asked.
 */
bool judge_by_holders(struct projector *p, struct record *r, const struct verdict_fields *at,
		      const struct object_key *key, bool deleted, const struct holding_count *found);
/* The verdict on such a file that nobody has open, while the lease is held. 0 or -ENOMEM. */
int judge_free(struct projector *p, struct record *r, const struct verdict_fields *at,
	       const struct leased_file *file) _must_check_;
/* The verdict on such a file by the write lease. 0, PROJECT_SKIP: it is gone, or -ENOMEM. */
int judge_by_lease(struct projector *p, struct record *r, const struct verdict_fields *at,
		   const struct leased_file *file) _must_check_;

/*
 * Processes that an object records, taken together: the first that is alive, or whether some cannot
 * be judged. Begin with all zero.
 */
struct recorded_all {
	const struct process *alive;
	uint32_t pid;	  /* of that */
	const char *role; /* of that: "creator" */
	bool unjudged;	  /* some may be alive */
	bool any;	  /* there were some at all */
};

/*
 * Weighs one more, and puts it down as evidence; pid 0 counts only where that means somebody out of sight.
 * until: as recorded_process(). What is known of it.
 */
enum recorded weigh_recorded(struct projector *p, struct record *r, const struct verdict_fields *at,
			     struct recorded_all *all, uint32_t pid, int64_t until, const char *role);
/*
 * Of what the kernel keeps no list of users of, and nobody waits for: idle, unknown or stale. more: as
 * above.
 */
void judge_by_records(struct projector *p, struct record *r, const struct verdict_fields *at,
		      const struct recorded_all *all, const char *more);
