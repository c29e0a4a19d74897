/* SPDX-License-Identifier: MIT */
/*
 * The way of records to standard output: filters, order, fields, renderer and
 * what could not be read, as the options say. Every command that shows records
 * uses it, so that the options mean the same everywhere.
 */
#pragma once

#include "cmd/cmd.h"
#include "model/filter.h"
#include "model/rowset.h"
#include "render/render.h"

struct sheet {
	struct context *context;
	struct view view;
	struct filters filters;
	struct sort sort;
	struct rowset rows; /* if sorted */
	struct renderer renderer;
	struct document document;
	struct warnings warnings;
	struct arena scratch;
	bool began; /* a record was written: the next needs the separator */
	uint64_t shown, left_out;
	const struct fieldset *read; /* of each schema, what is looked at instead of what is shown; or NULL */
	bool mute;		     /* remarks on what was not shown would only distract */
	char host[256];
};

/* What sheet_init() is to make. */
struct sheet_plan {
	const struct schema *const *schemas; /* outlive the sheet */
	size_t nschemas;
	char *const *parts; /* for each, NULL or a filter of its records alone; or NULL */
	const char *array;  /* JSON: name of the array of records */
	bool detail;	    /* all of each object, a field a line */
};

/* Prepares; prints nothing. -1 to go on, or the exit status. Free in any case. */
int sheet_init(struct sheet *sheet, struct context *c, const struct sheet_plan *plan);
void sheet_free(struct sheet *sheet);
/* The fields of the i-th schema that will be looked at. */
struct fieldset sheet_fields(const struct sheet *sheet, size_t i);
/* Whether a record passes the filters; what is unknown about it is added to the warnings. */
bool sheet_passes(const struct sheet *sheet, const struct record *r, struct warnings *warnings);
/* Whether records may be rendered in several threads with sheet_render(). */
bool sheet_is_parallel(const struct sheet *sheet);
/* Writes what stands before the records. time: seconds since the epoch. */
void sheet_begin(struct sheet *sheet, int64_t time);
/* Shows a record, now or when sorted. 0 or -ENOMEM. */
int sheet_add(struct sheet *sheet, const struct record *r) _must_check_;

/* What one thread needs to render for a sheet. */
struct sheet_worker {
	struct buf text; /* rendered records, each after the renderer's separator */
	struct arena scratch;
	struct warnings warnings;
	uint64_t shown, left_out;
	size_t records; /* in text */
};

/* As sheet_add(), into the worker's own buffer. 0 or -ENOMEM. */
int sheet_render(const struct sheet *sheet, struct sheet_worker *w, const struct record *r) _must_check_;
/* Takes over what the worker rendered and empties it. */
void sheet_take(struct sheet *sheet, struct sheet_worker *w);
void sheet_worker_free(struct sheet_worker *w);

/* Says on standard error what could not be read: what makes the run fail as an error; the rest, which is
 * for people, unless it is mute. What is out of sight for want of rights makes one line, the last. The exit
 * status that it makes. */
int warnings_tell(struct context *c, const struct warnings *warnings, bool mute);
/* Writes the rest, says on standard error what could not be read. Exit status. */
int sheet_end(struct sheet *sheet);
