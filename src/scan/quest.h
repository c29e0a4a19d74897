/* SPDX-License-Identifier: MIT */
/* What processes are to be asked for, as the sources of a snapshot want it. */
#pragma once

#include "scan/scan.h"

/* A request, and the devices that it points to: it is not to be copied. */
struct quest {
	struct holders_request request;
	uint64_t devices[2], shm;
};

/* /dev/shm and queues are there already. `beside` and `locks_read` are left to the caller. */
void quest_plan(struct quest *q, const struct snapshot *s, const struct scan_request *request);
