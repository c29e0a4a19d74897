/* SPDX-License-Identifier: MIT */
/* States of POSIX message queues, and what `clean` may do with them. */
#pragma once

#include "kind/holding.h"
#include "kind/verdict.h"

/* Fills state and reason. 0, PROJECT_SKIP or -ENOMEM. */
int posix_mq_judge(struct projector *p, struct record *r, const struct verdict_fields *at,
		   const struct mqueue_entry *e, const struct holding_count *found) _must_check_;
/* As kind->reclaim. */
int posix_mq_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);
