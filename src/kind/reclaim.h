/* SPDX-License-Identifier: MIT */
/* What `clean` does with an object: judge it once more, and remove it in one. */
#pragma once

#include "kind/verdict.h"

/* The verdict alone, of a record that is made for it. */
extern const struct schema verdict_schema;
extern const struct verdict_fields verdict_at;
/* Begins such a record in *r, with its arena; p->want is set to all of it. 0 or -ENOMEM. */
int verdict_begin(struct projector *p, struct record *r, struct arena *arena) _must_check_;
/* Whether the rules let an object of that verdict go: 0, or -EBUSY with its reason in report->text. */
int verdict_allows(const struct record *r, const struct reclaim *rules, struct report *report) _must_check_;
/*
 * Whether the users of an object have no process at all: 0, or -EBUSY with report->text. For what is
 * but stale.
 */
int nobody_is_left(struct projector *p, uint32_t uid, uint32_t creator, struct report *report) _must_check_;
/*
 * As kind->reclaim: judges the file under a write lease and unlinks it while that is held. check, or
 * NULL: what else speaks against it, with the file open; 0, or -EBUSY with report->text, or -errno.
 */
int reclaim_leased(struct projector *p, const struct leased_file *file, const struct reclaim *rules,
		   int (*check)(int fd, const struct reclaim *rules, struct report *report),
		   struct report *report);
