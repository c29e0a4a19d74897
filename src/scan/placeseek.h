/* SPDX-License-Identifier: MIT */
/* Looking for namespaces: those of tasks, and those that descriptors and mounts keep alive. */
#pragma once

#include "lib/parallel.h"
#include "scan/place.h"

/* The namespaces that a task is in. */
struct membership {
	uint64_t ino[PLACE_PARTS];
	uint32_t pid, tid;
};

/* A namespace that is kept alive, by a descriptor or where it is mounted. */
struct keeper {
	uint64_t ino;
	enum place_part part;
	struct place_door door;
};

/* What one thread has found. */
struct seeker {
	struct membership *members;
	size_t nmembers;
	struct keeper *keepers;
	size_t nkeepers;
	struct arena arena;
	uint64_t unreadable; /* processes */
	bool own_pids;	     /* system calls know them by the same numbers */
	int error;	     /* 0 or -ENOMEM */
	APART;
};

/* What all found together, in the order of pids. */
struct seeking {
	const struct scan_context *context;
	uint32_t *pids;
	size_t npids;
	struct seeker all;
	bool kept; /* descriptors and mounts were looked at, too */
};

/* Asks all tasks. 0 or -ENOMEM. Free in any case. */
int seek_members(struct seeking *seeking, const struct scan_context *context) _must_check_;
/* Looks at the descriptors of all processes, and at mounts as the first process of each mount namespace sees
 * them; at most once. 0 or -ENOMEM. */
int seek_keepers(struct seeking *seeking) _must_check_;
/* The namespaces of one task, by its path below dir. 0, or -errno: it may not be seen, or it has ended
 * (-ENOENT, -ESRCH). */
int read_membership(int dir, const char *task, struct membership *m) _must_check_;
/* 0 or -ENOMEM. */
int add_keeper(struct seeker *s, const struct keeper *k) _must_check_;
void seeking_free(struct seeking *seeking);
