/* SPDX-License-Identifier: MIT */
/* Snapshots that show other places than that of this process. */
#pragma once

#include "scan/scan.h"

/* Finds the places that are asked for, and gathers what belongs to them. What cannot be had is added to the
 * warnings. 0 or -ENOMEM. */
int views_gather(struct snapshot *s, const struct scan_request *request,
		 struct warnings *warnings) _must_check_;
/* Makes a view of each, once all that they share is there. 0 or -ENOMEM. */
int views_make(struct snapshot *s) _must_check_;
/* The view, or s itself, that has a file system as /dev/shm, or of queues; NULL: none. */
struct snapshot *view_of_shm(struct snapshot *s, uint64_t dev);
struct snapshot *view_of_queues(struct snapshot *s, uint64_t dev);
void views_free(struct snapshot *s);
