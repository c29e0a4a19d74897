/* SPDX-License-Identifier: MIT */
/* The part of a snapshot that comes of what tasks are blocked in. */
#pragma once

#include "scan/scan.h"

/* Fills tasks, openers, waits for locks and for other objects, as the snapshot's sources ask for them; what
 * those are about is there already. 0 or -ENOMEM. */
int take_tasks(struct snapshot *s, const struct scan_request *request,
	       struct warnings *warnings) _must_check_;
