/* SPDX-License-Identifier: MIT */
/* Events of a watch on their way out: as lines for people, or as records. */
#pragma once

#include "cmd/cmd.h"
#include "cmd/watchstate.h"
#include "render/render.h"

/* The fields of an event. */
enum watch_event_field {
	EVENT_TIME,
	EVENT_TIME_MS,
	EVENT_WHAT,
	EVENT_KIND,
	EVENT_REF,
	EVENT_FIELD,
	EVENT_OLD,
	EVENT_NEW,
	EVENT_OWNER,
	EVENT_NFIELDS,
};

struct watch_output {
	struct context *context;
	/* Old and new have the type of whatever field has changed: this copy of the table is made so. */
	struct field fields[EVENT_NFIELDS];
	struct schema schema;
	const struct schema *schemas[1];
	struct view view;
	struct renderer renderer;
	struct arena scratch;
	struct timespec now; /* CLOCK_REALTIME: when the look was taken */
	bool text;	     /* lines for people */
};

/* Prepares, and writes the headings if there are any. It must not be moved. -1 to go on, or the exit status.
 */
int watch_output_init(struct watch_output *o, struct context *c);
void watch_output_free(struct watch_output *o);
/* Writes an event of the look taken at o->now into the context's output. 0 or -ENOMEM. */
int watch_output_event(struct watch_output *o, const struct watch_event *event) _must_check_;
