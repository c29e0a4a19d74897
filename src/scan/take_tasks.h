/* SPDX-License-Identifier: MIT */
/* The part of a snapshot that comes of what tasks are blocked in. */
#pragma once

#include "scan/scan.h"

/* Whether the snapshot's sources ask for tasks, as far as those are there that come before. */
bool wants_tasks(const struct snapshot *s);
/* Fills tasks, openers, waits for locks and for other objects, as the snapshot's sources ask for them; what
 * those are about is there already. asking: the tasks have been asked so, or NULL. 0 or -ENOMEM. */
int take_tasks(struct snapshot *s, const struct scan_request *request, const struct asking *asking,
	       struct warnings *warnings) _must_check_;
