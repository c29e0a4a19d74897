/* SPDX-License-Identifier: MIT */
/* Some records, of two tables, as a renderer writes them. */
#pragma once

#include "records.h"
#include "render/render.h"

#define MOST_RECORDS 4

struct rendering {
	struct arena arena, scratch;
	const struct schema *schemas[2];
	size_t nschemas, count;
	struct record records[MOST_RECORDS];
	struct view view;
	struct renderer renderer;
	struct warnings warnings;
	struct document document;
	char *host;
	struct buf out;
};

static inline void take_warnings(struct input *in, struct rendering *x)
{
	for (size_t n = take_below(in, 4); n > 0; n--) {
		struct span example = take_text(in);
		struct warning w = { .subject = "kind",
				     .fields = take_bool(in) ? "size, count" : NULL,
				     .error = (int)take_below(in, 60) - 20,
				     .count = take_number(in),
				     .example = example };

		warnings_add(&x->warnings, &w);
	}
	for (size_t i = 0; i < x->count; i++)
		warnings_tally(&x->warnings, &x->records[i], schema_set(x->records[i].schema, 0));
}

/* Takes tables, a view of them, options, and records. Free with rendering_free(). */
static inline void take_rendering(struct input *in, struct rendering *x, const struct render_ops *ops)
{
	enum view_default start = (enum view_default)take_below(in, 4);
	unsigned bits = take_byte(in);
	struct field_error error;

	*x = (struct rendering){ .renderer = { .ops = ops, .view = &x->view } };
	x->renderer.options = (struct render_options){ .headings = bits & 1,
						       .exact_bytes = bits & 2,
						       .truncate = bits & 4,
						       .color = bits & 8,
						       .twins = bits & 16,
						       .width = take_byte(in) };
	x->nschemas = bits & 32 ? 2 : 1;
	for (size_t i = 0; i < x->nschemas; i++)
		x->schemas[i] = take_schema(in, &x->arena, true);
	EXPECT(view_init(&x->view, x->schemas, x->nschemas, NULL, start, &error) == 0);
	/* Every kind has columns that are shown. */
	if (x->view.ncolumns == 0) {
		view_free(&x->view);
		EXPECT(view_init(&x->view, x->schemas, x->nschemas, NULL, VIEW_CONTENTS, &error) == 0);
	}
	x->count = take_below(in, MOST_RECORDS + 1);
	for (size_t i = 0; i < x->count; i++)
		take_record(in, &x->records[i], x->schemas[take_byte(in) % x->nschemas], &x->arena);
	x->host = copy_string(take_text(in));
	take_warnings(in, x);
	x->document = (struct document){ .array = "objects",
					 .time = 1763669449,
					 .host = x->host,
					 .records = x->count,
					 .complete = bits & 64,
					 .unreadable_processes = take_number(in),
					 .warnings = &x->warnings };
}

/* Writes them as a command does. */
static inline struct span render(struct rendering *x)
{
	const struct render_ops *ops = x->renderer.ops;
	const char *separator = ops->separator ? ops->separator : "";

	if (ops->begin)
		ops->begin(&x->renderer, &x->document, &x->out);
	for (size_t i = 0; i < x->count; i++) {
		buf_puts(&x->out, i > 0 ? separator : separator + strlen(separator) - ops->first);
		arena_reset(&x->scratch);
		EXPECT(ops->record(&x->renderer, &x->scratch, &x->records[i], &x->out) == 0);
	}
	if (ops->end)
		ops->end(&x->renderer, &x->document, &x->out);
	EXPECT(!x->out.failed);
	return buf_span(&x->out);
}

static inline void rendering_free(struct rendering *x)
{
	renderer_free(&x->renderer);
	view_free(&x->view);
	warnings_free(&x->warnings);
	arena_free(&x->arena);
	arena_free(&x->scratch);
	free(x->host);
	buf_free(&x->out);
}
