/* SPDX-License-Identifier: MIT */
/* Several threads that turn the objects of a listing into records, batch by batch. */
#pragma once

#include "cmd/listing.h"

/* Records that one thread makes at a time: their text stays in its cache. */
#define BATCH 128

/* Shows all objects: rendered by several threads, and written in order. 0 or -ENOMEM. */
int crew_show_all(struct listing *l) _must_check_;

/* How many batches a kind's objects make. */
size_t crew_batches(const struct listing *l, size_t kind);
/*
 * Calls visit for every object of a kind, those of one batch by one thread and in order, several batches
 * at a time. batch gives what visit is to get for the batch of that number. 0 or -errno.
 */
int crew_each(struct listing *l, size_t kind, struct fieldset want,
	      int (*visit)(void *batch, size_t index, const struct record *r),
	      void *(*batch)(void *data, size_t number), void *data) _must_check_;
