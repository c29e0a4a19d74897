/* SPDX-License-Identifier: MIT */
#include "model/format.h"
#include "render/render.h"

static void begin(struct renderer *r, const struct document *d _unused_, struct buf *out)
{
	if (!r->options.headings)
		return;
	for (size_t c = 0; c < r->view->ncolumns; c++) {
		if (c > 0)
			buf_putc(out, '\t');
		buf_puts(out, r->view->columns[c].name);
	}
	buf_putc(out, '\n');
}

static int record(struct renderer *r, struct arena *scratch _unused_, const struct record *rec,
		  struct buf *out)
{
	const struct view *view = r->view;
	size_t schema = view_schema(view, rec->schema);

	for (size_t c = 0; c < view->ncolumns; c++) {
		const struct value *v = view_value(view, schema, c, rec);

		if (c > 0)
			buf_putc(out, '\t');
		if (v)
			format_value(out, view->columns[c].field, v, FORMAT_MACHINE);
		else
			buf_putc(out, '-');
	}
	buf_putc(out, '\n');
	return 0;
}

const struct render_ops render_raw = { .begin = begin, .record = record };

static int record_null(struct renderer *r, struct arena *scratch _unused_, const struct record *rec,
		       struct buf *out)
{
	const struct view *view = r->view;
	size_t schema = view_schema(view, rec->schema);

	for (size_t c = 0; c < view->ncolumns; c++) {
		const struct value *v = view_value(view, schema, c, rec);
		enum field_type type = view->columns[c].field->type;

		if (v && v->state == VALUE_SET &&
		    (type == FIELD_STR || type == FIELD_REF || type == FIELD_BLOB))
			buf_put_span(out, v->str);
		else if (v)
			format_value(out, view->columns[c].field, v, FORMAT_MACHINE);
		else
			buf_putc(out, '-');
		buf_putc(out, '\0');
	}
	return 0;
}

const struct render_ops render_null = { .record = record_null };
