/* SPDX-License-Identifier: MIT */
/* Who waits in open(2) of a FIFO for its other end, as fields of its record. */
#pragma once

#include "kind/common.h"

/* Rows {pid, start_time, command, user, tid, access}. */
extern const struct schema fifo_opener_schema;

struct opener_fields {
	size_t nopeners, openers;
};

/* Fills both fields. 0 or -ENOMEM. */
int fifo_openers_project(struct projector *p, struct record *r, const struct opener_fields *at,
			 const struct object_key *key) _must_check_;
