/* SPDX-License-Identifier: MIT */
/*
 * What a watch knows: the objects of the last look, packed, and those of the look that is being taken. From
 * the two come the events. Neither outlives the next look, so that nothing grows with time; and each look
 * costs time in proportion to the objects.
 */
#pragma once

#include "lib/hash.h"
#include "model/packed.h"

enum watch_what { WATCH_PRESENT, WATCH_CREATED, WATCH_REMOVED, WATCH_CHANGED, WATCH_STATE };

/* What of one kind is watched. */
struct watch_kind {
	const struct schema *schema;
	struct fieldset compared; /* a difference in these is an event */
	struct fieldset identity; /* a difference in these is another object */
	struct fieldset packed;	  /* what is kept: those, and what is told of a removed object */
	int ref, owner, state;	  /* fields, or -1 */
	int deleted;		  /* whether only holders lead to the object any more; packed */
};

struct watch_event {
	enum watch_what what;
	const struct watch_kind *kind;
	size_t entry; /* as watch_look_add() counts; SIZE_MAX of what was removed */
	struct span ref;
	struct span packed;   /* the object as it is, or, removed, as it was */
	int field;	      /* that changed, or -1 */
	struct span old, new; /* its bytes */
};

/* How far the present look can be trusted with a kind. */
struct watch_trust {
	bool lost;	   /* it could not be read: what it was stays */
	bool hides;	   /* permission hides some of it */
	bool holders_lost; /* processes could not be read, which lead to what has no name */
};

struct watch_entry;

/* How one kind was seen. */
struct watch_seen {
	bool known; /* it was read, then or before */
	bool hides; /* permission hid some of it */
	size_t end; /* behind the last of its entries */
};

/* The objects of one look. */
struct watch_generation {
	struct buf text; /* of each its reference, and its packed values */
	struct watch_entry *entries;
	size_t count;
	struct watch_seen *seen; /* of each kind */
	struct hash by_ref;	 /* made when first needed */
	struct hash by_identity; /* likewise */
	bool indexed, identified;
};

struct watch_state {
	const struct watch_kind *kinds;
	size_t nkinds;
	struct watch_generation old, now;
	size_t cursor;	    /* where in the old the next object is expected: tables keep their order */
	struct buf scratch; /* packed values of the object that is being added */
	bool initial;	    /* what is there when a kind is first seen is told, too */
	/* Takes an event. 0 to go on; anything else ends the look, which returns it. */
	int (*tell)(void *data, const struct watch_event *event);
	void *data;
};

/* Begins a look. 0 or -ENOMEM. */
int watch_look_begin(struct watch_state *s) _must_check_;
/* An object that is there; the kinds come in their order. shown: it passes the filters. It is given the
 * number now.count - 1. 0 or -ENOMEM. */
int watch_look_add(struct watch_state *s, size_t kind, const struct record *r, bool shown) _must_check_;
/* All of a kind were added (none, if it was lost): what is not there any more, and may only be out of sight,
 * is kept. 0 or -ENOMEM. */
int watch_look_end_kind(struct watch_state *s, size_t kind, const struct watch_trust *trust) _must_check_;
/* Tells what has become different, once all kinds were looked at. 0, -ENOMEM or what tell() returned. */
int watch_look_tell(struct watch_state *s) _must_check_;
/* Ends a look: it is what the next is compared with. */
void watch_look_end(struct watch_state *s);
void watch_state_free(struct watch_state *s);
