/* SPDX-License-Identifier: MIT */
/* Aligned columns. Cells are kept as text until the widths are known. */
#include <errno.h>

#include "lib/escape.h"
#include "lib/vec.h"
#include "model/format.h"
#include "render/render.h"

#define NARROWEST 8 /* columns that a shrinkable column keeps */
#define WIDEST 40   /* that it gets where the rows do not fit all the same */

struct cell {
	struct span text;
	size_t width;	 /* terminal columns */
	const char *sgr; /* how it is marked, or NULL */
};

struct table {
	struct arena arena;
	struct cell *cells; /* rows * ncolumns */
	size_t rows;
	struct buf text;
};

static int add_cell(struct renderer *r, struct cell *cell, const struct field *field, const struct value *v)
{
	struct table *t = r->table;

	buf_reset(&t->text);
	if (v)
		format_value(&t->text, field, v, r->options.exact_bytes ? FORMAT_HUMAN_BYTES : FORMAT_HUMAN);
	else
		buf_putc(&t->text, '-');
	cell->text = arena_span(&t->arena, buf_span(&t->text));
	if (t->text.failed || !cell->text.ptr)
		return -ENOMEM;
	cell->width = display_width(cell->text);
	return 0;
}

static const char *mark_of(const struct renderer *r, size_t schema, size_t column)
{
	int field = r->view->index[schema * r->view->ncolumns + column];

	if (!r->mark)
		return NULL;
	return field >= 0 && wants(r->mark->changed, (size_t)field) ? "\033[7m" : r->mark->row;
}

static int record(struct renderer *r, struct arena *scratch _unused_, const struct record *rec,
		  struct buf *out _unused_)
{
	const struct view *view = r->view;
	size_t schema = view_schema(view, rec->schema), n = view->ncolumns;

	if (!r->table)
		r->table = calloc(1, sizeof(*r->table));
	if (!r->table)
		return -ENOMEM;
	if (vec_reserve(&r->table->cells, r->table->rows, n * sizeof(*r->table->cells)) < 0)
		return -ENOMEM;
	for (size_t c = 0; c < n; c++) {
		struct cell *cell = &r->table->cells[r->table->rows * n + c];

		if (add_cell(r, cell, view->columns[c].field, view_value(view, schema, c, rec)) < 0)
			return -ENOMEM;
		cell->sgr = mark_of(r, schema, c);
	}
	r->table->rows++;
	return 0;
}

/* "CPID_COMMAND" of "cpid_command". */
static void put_heading(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_putc(out, (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name));
}

static void measure(const struct renderer *r, size_t *widths)
{
	size_t n = r->view->ncolumns;

	for (size_t c = 0; c < n; c++) {
		widths[c] = r->options.headings ? strlen(r->view->columns[c].name) : 0;
		for (size_t row = 0; r->table && row < r->table->rows; row++)
			if (r->table->cells[row * n + c].width > widths[c])
				widths[c] = r->table->cells[row * n + c].width;
	}
}

/* The widest column of a type that may be cut, or ncolumns; *next is the width
 * that the next narrower one has. */
static size_t widest_column(const struct renderer *r, const size_t *widths, bool refs, size_t *next)
{
	size_t n = r->view->ncolumns, widest = n;

	*next = NARROWEST;
	for (size_t c = 0; c < n; c++) {
		const struct field *f = r->view->columns[c].field;

		if (!(f->flags & FIELD_SHRINK) || (f->type == FIELD_REF) != refs || widths[c] <= NARROWEST)
			continue;
		if (widest == n || widths[c] > widths[widest]) {
			*next = widest == n ? NARROWEST : widths[widest];
			widest = c;
		} else if (widths[c] > *next) {
			*next = widths[c];
		}
	}
	return widest;
}

/* Takes `excess` columns from the widest, as far as they can bear it; what is left over. */
static size_t cut_columns(const struct renderer *r, size_t *widths, bool refs, size_t excess)
{
	while (excess > 0) {
		size_t next, widest = widest_column(r, widths, refs, &next), cut;

		if (widest == r->view->ncolumns)
			break;
		cut = widths[widest] - next;
		if (cut == 0)
			cut = 1; /* several are equally wide: in turn */
		if (cut > excess)
			cut = excess;
		widths[widest] -= cut;
		excess -= cut;
	}
	return excess;
}

/* Rows that are too wide however much is cut wrap: then only what is very long is cut. */
static void tame(const struct renderer *r, size_t *widths)
{
	for (size_t c = 0; c < r->view->ncolumns; c++) {
		const struct field *f = r->view->columns[c].field;

		if (f->flags & FIELD_SHRINK && f->type != FIELD_REF && widths[c] > WIDEST)
			widths[c] = WIDEST;
	}
}

/* Makes the table fit. References, which one wants to copy, are cut last, and
 * not at all if that does not help. */
static void shrink(const struct renderer *r, size_t *widths)
{
	size_t n = r->view->ncolumns, total = n > 0 ? 2 * (n - 1) : 0, excess, room = 0, plain = 0;

	for (size_t c = 0; c < n; c++) {
		const struct field *f = r->view->columns[c].field;

		total += widths[c];
		if (f->flags & FIELD_SHRINK && widths[c] > NARROWEST)
			*(f->type == FIELD_REF ? &room : &plain) += widths[c] - NARROWEST;
	}
	if (total <= r->options.width)
		return;
	excess = total - r->options.width;
	if (excess > room + plain) {
		tame(r, widths);
		return;
	}
	excess = cut_columns(r, widths, false, excess);
	cut_columns(r, widths, true, excess);
}

static bool right_aligned(const struct field *f)
{
	return field_is_number(f->type) && f->type != FIELD_KEY && f->type != FIELD_TIME &&
	       f->type != FIELD_MODE;
}

const char *state_color(struct span value)
{
	static const struct {
		const char *state, *sgr;
	} colors[] = {
		{ "in-use", "\033[32m" }, { "idle", "\033[36m" },    { "orphaned", "\033[31m" },
		{ "stale", "\033[33m" },  { "unknown", "\033[35m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colors); i++)
		if (span_is(value, colors[i].state))
			return colors[i].sgr;
	return "";
}

static void put_cell(const struct renderer *r, const struct field *f, const struct cell *cell, size_t width,
		     bool last, struct buf *out)
{
	const char *color = r->options.color && strcmp(f->name, "state") == 0 ? state_color(cell->text) : "";
	size_t shown = cell->width, bytes = cell->text.len, pad;

	if (cell->sgr)
		color = cell->sgr;

	/* Only where shrink() took columns away; else every cell fits. */
	if (cell->width > width)
		bytes = display_prefix(cell->text, width - 1, &shown);
	pad = width - shown - (bytes < cell->text.len);
	if (right_aligned(f))
		buf_fill(out, ' ', pad);
	buf_puts(out, color);
	buf_put(out, cell->text.ptr, bytes);
	if (bytes < cell->text.len)
		buf_puts(out, "\xe2\x80\xa6"); /* an ellipsis, one column wide */
	if (color[0])
		buf_puts(out, "\033[0m");
	if (!right_aligned(f) && !last)
		buf_fill(out, ' ', pad);
}

static void put_headings(const struct renderer *r, const size_t *widths, struct buf *out)
{
	size_t n = r->view->ncolumns;

	if (r->options.color)
		buf_puts(out, "\033[1m");
	for (size_t c = 0; c < n; c++) {
		const char *name = r->view->columns[c].name;
		size_t len = strlen(name), pad = widths[c] > len ? widths[c] - len : 0;

		if (c > 0)
			buf_puts(out, "  ");
		if (right_aligned(r->view->columns[c].field))
			buf_fill(out, ' ', pad);
		put_heading(out, name);
		if (!right_aligned(r->view->columns[c].field) && c + 1 < n)
			buf_fill(out, ' ', pad);
	}
	if (r->options.color)
		buf_puts(out, "\033[0m");
	buf_putc(out, '\n');
}

static void end(struct renderer *r, const struct document *d _unused_, struct buf *out)
{
	size_t n = r->view->ncolumns;
	_cleanup_(free_ptr) size_t *widths = calloc(n + 1, sizeof(*widths));

	if (!widths) {
		out->failed = true;
		return;
	}
	measure(r, widths);
	if (r->options.truncate && r->options.width > 0)
		shrink(r, widths);
	if (r->options.headings)
		put_headings(r, widths, out);
	for (size_t row = 0; r->table && row < r->table->rows; row++) {
		for (size_t c = 0; c < n; c++) {
			if (c > 0)
				buf_puts(out, "  ");
			put_cell(r, r->view->columns[c].field, &r->table->cells[row * n + c], widths[c],
				 c + 1 == n, out);
		}
		buf_putc(out, '\n');
	}
}

const struct render_ops render_table = { .serial = true, .record = record, .end = end };

void renderer_free(struct renderer *r)
{
	if (!r->table)
		return;
	arena_free(&r->table->arena);
	buf_free(&r->table->text);
	free(r->table->cells);
	free(r->table);
	r->table = NULL;
}
