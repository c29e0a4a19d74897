/* SPDX-License-Identifier: MIT */
/*
 * Records as text. A renderer knows records and views, never kinds. Its
 * record() may run in several threads at once, each with its own scratch and
 * output buffer; the caller puts the buffers together in order.
 */
#pragma once

#include "lib/arena.h"
#include "lib/buf.h"
#include "model/view.h"
#include "model/warnings.h"

struct render_options {
	bool headings;	  /* table, raw: a first line with the names */
	bool exact_bytes; /* table, detail: sizes in bytes instead of 1.5M */
	bool truncate;	  /* table: cut columns that can bear it to the width */
	bool color;
	bool twins;   /* JSON: RFC 3339 beside each time stamp */
	size_t width; /* columns of the terminal; 0: no limit */
};

/* What a document says beside its records. */
struct document {
	const char *array; /* JSON: name of the array of records */
	int64_t time;	   /* of the snapshot */
	const char *host;
	/* Known only at the end: */
	uint64_t records;
	bool complete;
	uint64_t unreadable_processes;
	const struct warnings *warnings;
};

struct renderer;

struct render_ops {
	bool serial; /* record() must be called in order and in one thread */
	/* What stands before each record, and how much of it before the first. */
	const char *separator;
	size_t first; /* so many of its last bytes */
	/* begin and end may be NULL. */
	void (*begin)(struct renderer *r, const struct document *d, struct buf *out);
	/* 0 or -ENOMEM. */
	int (*record)(struct renderer *r, struct arena *scratch, const struct record *rec, struct buf *out);
	void (*end)(struct renderer *r, const struct document *d, struct buf *out);
};

/* How a row differs from what was shown before. */
struct render_mark {
	struct fieldset changed; /* fields whose cells are marked */
	const char *row;	 /* SGR sequence of the whole row, or NULL */
};

struct renderer {
	const struct render_ops *ops;
	const struct view *view;
	struct render_options options;
	struct table *table;		/* render_table: rows gathered so far */
	const struct render_mark *mark; /* render_table: of the record that comes next, or NULL */
};

extern const struct render_ops render_table;  /* aligned columns */
extern const struct render_ops render_raw;    /* tab-separated, escaped, exact */
extern const struct render_ops render_null;   /* raw bytes, NUL after each value */
extern const struct render_ops render_json;   /* one document */
extern const struct render_ops render_jsonl;  /* an object a line */
extern const struct render_ops render_detail; /* all of one object, for people */

void renderer_free(struct renderer *r);
/* SGR sequences for a value of `state` and the like; "" where it has no colour. */
const char *state_color(struct span value);
