/* SPDX-License-Identifier: MIT */
/* Raw output: a line for each record, a tab between two columns, and every value leads back to itself. */
#include "fuzz.h"
#include "lib/parse.h"
#include "model/value_parse.h"
#include "rendering.h"
#include "shown.h"

static void check_cell(struct span cell, const struct field *field, const struct value *v,
		       struct arena *arena)
{
	struct value back;

	EXPECT(cell.len > 0);
	/* A row with one column, in a list, may look like that. */
	if (v && v->state == VALUE_SET && field->type == FIELD_LIST)
		return;
	EXPECT(span_is(cell, "-") == (!v || v->state == VALUE_ABSENT));
	EXPECT(span_is(cell, "?") == (v && v->state == VALUE_UNKNOWN));
	/* Percentages over what a number of 64 bits holds hundred times are none. */
	if (!v || field->type == FIELD_LIST ||
	    (field->type == FIELD_PERCENT && v->state == VALUE_SET && v->u64 > UINT64_MAX / 1000))
		return;
	EXPECT(value_parse(cell, field->type, arena, &back) == 0 && back.state == v->state);
	EXPECT(value_compare(field, v, &back) == 0);
}

static void check_line(struct rendering *x, const struct record *r, struct span line)
{
	const struct view *view = &x->view;

	EXPECT(count_bytes(line, '\t') + 1 == (view->ncolumns ? view->ncolumns : 1));
	for (size_t c = 0; c < view->ncolumns; c++) {
		const char *tab = line.len ? memchr(line.ptr, '\t', line.len) : NULL;
		struct span cell = { line.ptr, tab ? (size_t)(tab - line.ptr) : line.len };

		check_cell(cell, view->columns[c].field, view_value(view, view_schema(view, r->schema), c, r),
			   &x->arena);
		line = span_from(line, cell.len + (tab != NULL));
	}
}

/* With -0 every value is followed by a zero byte, and texts are as they are. */
static void check_null(const struct rendering *x, struct span text)
{
	size_t zeros = x->count * x->view.ncolumns, inside = 0;

	for (size_t i = 0; i < x->count; i++)
		for (size_t c = 0; c < x->view.ncolumns; c++) {
			const struct record *r = &x->records[i];
			const struct value *v = view_value(&x->view, view_schema(&x->view, r->schema), c, r);
			enum field_type type = x->view.columns[c].field->type;

			if (v && v->state == VALUE_SET &&
			    (type == FIELD_STR || type == FIELD_REF || type == FIELD_BLOB))
				inside += count_bytes(v->str, '\0');
		}
	EXPECT(count_bytes(text, '\0') == zeros + inside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool null = take_bool(&in);
	struct rendering x;
	struct span text, line;

	take_rendering(&in, &x, null ? &render_null : &render_raw);
	text = render(&x);
	if (null) {
		check_null(&x, text);
		rendering_free(&x);
		return 0;
	}
	EXPECT(is_shown(text, "\t\n"));
	if (x.renderer.options.headings)
		EXPECT(next_line(&text, &line));
	for (size_t i = 0; i < x.count; i++) {
		EXPECT(next_line(&text, &line));
		check_line(&x, &x.records[i], line);
	}
	EXPECT(text.len == 0);
	rendering_free(&x);
	return 0;
}
