/* SPDX-License-Identifier: MIT */
/* Objects of a snapshot on their way to a sheet. */
#pragma once

#include "cmd/select.h"
#include "cmd/sheet.h"
#include "lib/parallel.h"

struct listing {
	struct context *context;
	const struct kind *const *kinds;
	size_t nkinds;
	const struct schema **schemas; /* of the kinds, in their order */
	struct sheet sheet;
	struct snapshot snapshot;
	bool taken;
	uint64_t pid_start; /* --pid: ticks at which that process was started */
};

/* Prepares a listing of these kinds; detail as in describe. -1 to go on, or the exit
 * status. Free in any case. */
int listing_init(struct listing *l, struct context *c, const struct kind_list *list, const char *array,
		 bool detail);
/* The same without a sheet of its own: its objects are only counted. */
int listing_init_kinds(struct listing *l, struct context *c, const struct kind_list *list);
void listing_free(struct listing *l);
/* The most threads that may be used; 0: as many as there are processors. */
unsigned listing_threads(const struct context *c);
/* Takes the snapshot: the request's names, and what the fields need. Writes nothing
 * yet. -1 or the exit status. */
int listing_take(struct listing *l, struct scan_request *request);
/* Forgets the snapshot and its warnings, so that another can be taken. */
void listing_drop(struct listing *l);
/* Shows every object, from the beginning. -1 or the exit status. */
int listing_show_all(struct listing *l);
/* Writes what stands before the objects. */
void listing_begin(struct listing *l);
/* Shows one object of the i-th kind. 1 if it was there, 0 if it is gone, -ENOMEM. */
int listing_show(struct listing *l, size_t kind, size_t index) _must_check_;
/* Position of a kind in the listing. */
size_t listing_kind(const struct listing *l, const struct kind *k);
/* What one thread keeps from record to record: caches and buffers. */
struct hand {
	struct projector projector;
	struct arena values, arena;
	APART;
};
void hand_free(struct hand *h);
/* Calls visit for the objects of a kind at indices [from, to), with the hand's projector as it is set. 0 or
 * -errno. */
int listing_range(const struct listing *l, struct hand *h, size_t kind, size_t from, size_t to,
		  int (*visit)(void *data, size_t index, const struct record *r), void *data) _must_check_;
/* Calls visit for every object of a kind that is listed and passes; for summaries. 0 or -errno. */
int listing_each(struct listing *l, size_t kind, struct fieldset want,
		 int (*visit)(void *data, size_t index, const struct record *r), void *data) _must_check_;
