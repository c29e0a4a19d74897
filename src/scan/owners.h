/* SPDX-License-Identifier: MIT */
/*
 * The oldest process of each user: whether somebody could come back to what the user left by name.
 * A process counts as that of its real, effective, saved and file-system uid, for it may act as
 * each; threads of the kernel, which open nothing by themselves, and this program do not count.
 */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "scan/context.h"

struct user_process {
	uint32_t uid, pid;
	int64_t earliest;    /* of process_earliest() */
	struct span command; /* raw bytes of comm */
};

struct owners {
	struct hash index; /* uid -> the oldest of its processes */
	struct user_process *items;
	size_t count;
	struct arena arena;
	bool read;
	bool complete; /* every process in sight could be read, and none is out of sight */
	int error;     /* 0, or -errno: they could not be looked at */
};

/* Reads all processes, once. 0 or -ENOMEM. */
int owners_read(struct owners *o, const struct scan_context *context) _must_check_;
/* The oldest process of that user, or NULL: none was found. */
const struct user_process *owners_oldest(const struct owners *o, uint32_t uid);
void owners_free(struct owners *o);

/* Of a status file (proc(5)). */
struct user_status {
	uint32_t uids[4]; /* real, effective, saved, file system */
	uint32_t threads;
	bool memory; /* it has some: neither ended nor of the kernel */
};
/* 0 or -EINVAL. */
int user_status_parse(struct span text, struct user_status *out) _must_check_;
