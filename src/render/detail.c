/* SPDX-License-Identifier: MIT */
/* All of one object, a field a line; lists as tables, contents as a hex dump. */
#include <errno.h>

#include "lib/parse.h"
#include "model/format.h"
#include "render/render.h"

#define DUMP_WIDTH 16

/* One line as hexdump -C prints it. */
static void dump_line(struct buf *out, uint64_t offset, const unsigned char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	buf_printf(out, "    %08llx ", (unsigned long long)offset);
	for (size_t i = 0; i < DUMP_WIDTH; i++) {
		if (i == DUMP_WIDTH / 2)
			buf_putc(out, ' ');
		buf_putc(out, ' ');
		buf_putc(out, (char)(i < n ? hex[p[i] >> 4] : ' '));
		buf_putc(out, (char)(i < n ? hex[p[i] & 15] : ' '));
	}
	buf_puts(out, "  |");
	for (size_t i = 0; i < n; i++)
		buf_putc(out, (char)(p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '.'));
	buf_puts(out, "|\n");
}

static void dump(struct buf *out, uint64_t offset, struct span data)
{
	const unsigned char *p = (const unsigned char *)data.ptr;
	bool starred = false;

	for (size_t i = 0; i < data.len; i += DUMP_WIDTH) {
		size_t n = data.len - i < DUMP_WIDTH ? data.len - i : DUMP_WIDTH;
		bool same = i > 0 && n == DUMP_WIDTH && i + n < data.len &&
			    memcmp(p + i, p + i - DUMP_WIDTH, DUMP_WIDTH) == 0;

		if (!same)
			dump_line(out, offset + i, p + i, n);
		else if (!starred)
			buf_puts(out, "    *\n");
		starred = same;
	}
}

static const struct field *blob_field(const struct schema *s, size_t *at)
{
	for (*at = 0; *at < s->nfields; (*at)++)
		if (s->fields[*at].type == FIELD_BLOB)
			return &s->fields[*at];
	return NULL;
}

/* Rows with bytes: what else the row has on one line, the bytes below. */
static void put_blobs(struct renderer *r, const struct list *list, size_t blob, struct buf *out)
{
	enum format_style style = r->options.exact_bytes ? FORMAT_HUMAN_BYTES : FORMAT_HUMAN;
	int offset = schema_find(list->schema, SPAN("offset"));
	struct record row;

	for (size_t i = 0; i < list->count; i++) {
		list_row(list, i, &row);
		buf_puts(out, "   ");
		for (size_t f = 0; f < list->schema->nfields; f++) {
			if (f == blob)
				continue;
			buf_printf(out, " %s ", list->schema->fields[f].name);
			format_value(out, &list->schema->fields[f], &row.values[f], style);
		}
		buf_putc(out, '\n');
		if (row.values[blob].state == VALUE_SET)
			dump(out, offset >= 0 ? row.values[offset].u64 : 0, row.values[blob].str);
	}
}

/* The names of the fields that some row has, separated by commas; NULL: none, or no memory, then names has
 * failed. */
static const char *present_fields(const struct list *list, struct buf *names)
{
	struct record row;

	for (size_t f = 0; f < list->schema->nfields; f++) {
		bool any = false;

		for (size_t i = 0; i < list->count && !any; i++) {
			list_row(list, i, &row);
			any = row.values[f].state != VALUE_ABSENT;
		}
		if (any)
			buf_printf(names, "%s%s", names->len ? "," : "", list->schema->fields[f].name);
	}
	return names->len > 0 ? buf_cstr(names) : NULL;
}

static int put_list(struct renderer *r, const struct list *list, struct buf *out)
{
	const struct schema *schema = list->schema;
	_cleanup_(buf_free) struct buf table = { 0 }, names = { 0 };
	struct renderer inner = { .ops = &render_table, .options = r->options };
	struct field_error error;
	struct view view;
	struct record row;
	struct span rest, line;
	const char *present;
	size_t blob;
	int e = 0;

	if (blob_field(schema, &blob)) {
		put_blobs(r, list, blob, out);
		return 0;
	}
	present = present_fields(list, &names);
	if (names.failed || view_init(&view, &schema, 1, present, VIEW_EVERYTHING, &error) < 0)
		return -ENOMEM;
	inner.view = &view;
	inner.options.headings = true;
	inner.options.width = r->options.width > 4 ? r->options.width - 4 : 0;
	for (size_t i = 0; e == 0 && i < list->count; i++) {
		list_row(list, i, &row);
		e = render_table.record(&inner, NULL, &row, &table);
	}
	render_table.end(&inner, NULL, &table);
	rest = buf_span(&table);
	while (next_line(&rest, &line)) {
		buf_puts(out, "    ");
		buf_put_span(out, line);
		buf_putc(out, '\n');
	}
	if (e == 0 && table.failed)
		e = -ENOMEM;
	renderer_free(&inner);
	view_free(&view);
	return e;
}

static int put_field(struct renderer *r, const struct field *f, const struct value *v, size_t width,
		     struct buf *out)
{
	const char *color;

	if (v->state == VALUE_SET && f->type == FIELD_LIST && v->list->count > 0) {
		buf_printf(out, "%*s:\n", (int)width, f->name);
		return put_list(r, v->list, out);
	}
	buf_printf(out, "%*s: ", (int)width, f->name);
	color = r->options.color && v->state == VALUE_SET && strcmp(f->name, "state") == 0 ?
			state_color(v->str) :
			"";
	buf_puts(out, color);
	format_value(out, f, v, r->options.exact_bytes ? FORMAT_HUMAN_BYTES : FORMAT_HUMAN);
	buf_puts(out, color[0] ? "\033[0m" : "");
	/* The exact number beside the scaled one. */
	if (v->state == VALUE_SET && f->type == FIELD_BYTES && !r->options.exact_bytes && v->u64 >= 1024)
		buf_printf(out, " (%llu bytes)", (unsigned long long)v->u64);
	buf_putc(out, '\n');
	return 0;
}

static int record(struct renderer *r, struct arena *scratch _unused_, const struct record *rec,
		  struct buf *out)
{
	const struct shown *shown = &r->view->shown[view_schema(r->view, rec->schema)];
	size_t width = 0;
	int e = 0;

	for (size_t i = 0; i < shown->count; i++) {
		const struct field *f = &rec->schema->fields[shown->fields[i]];

		if (rec->values[shown->fields[i]].state != VALUE_ABSENT && strlen(f->name) > width)
			width = strlen(f->name);
	}
	for (size_t i = 0; e == 0 && i < shown->count; i++) {
		const struct value *v = &rec->values[shown->fields[i]];

		if (v->state != VALUE_ABSENT)
			e = put_field(r, &rec->schema->fields[shown->fields[i]], v, width + 2, out);
	}
	return e;
}

const struct render_ops render_detail = { .serial = true, .separator = "\n", .record = record };
