/* SPDX-License-Identifier: MIT */
/* What processes are to be asked for, as the sources of a snapshot want it. */
#pragma once

#include "scan/scan.h"

/* A request, and the devices that it points to. */
struct quest {
	struct holders_request request;
	uint64_t *devices, *shm;
};

/* /dev/shm and queues are there already, those of other places too. `beside` and `locks_read` are left to the
 * caller. 0 or -ENOMEM. Free in any case. */
int quest_plan(struct quest *q, const struct snapshot *s, const struct scan_request *request) _must_check_;
void quest_free(struct quest *q);
