/* SPDX-License-Identifier: MIT */
/* The part of a snapshot that comes of what tasks are blocked in. */
#pragma once

#include "scan/scan.h"

/* Fills tasks, openers and futexes as the snapshot's sources ask for them; paths and holders are
 * there already. 0 or -ENOMEM. */
int blocked_take(struct snapshot *s, unsigned threads, struct warnings *warnings) _must_check_;
