/* SPDX-License-Identifier: MIT */
/* JSON by way of libcjson, one tree for each record, printed and dropped before the next. */
#include "model/format.h"
#include "render/render.h"
#include "render/tree.h"

/* A key or mode: digits in quotes. */
static void add_short(struct tree *t, cJSON *parent, const struct field *f, uint64_t v)
{
	char text[11];

	tree_string(t, parent, f->name,
		    (struct span){ text, f->type == FIELD_KEY ? format_key(text, v) : format_mode(text, v) });
}

static void add_record(struct tree *t, cJSON *object, const struct record *r);

static void add_list(struct tree *t, cJSON *parent, const char *key, const struct list *list)
{
	cJSON *array = tree_add(t, parent, key, cJSON_Array);
	struct record row;

	for (size_t i = 0; array && i < list->count; i++) {
		cJSON *object = tree_add(t, array, NULL, cJSON_Object);

		list_row(list, i, &row);
		if (object)
			add_record(t, object, &row);
	}
}

static void add_time(struct tree *t, cJSON *object, const char *key, int64_t seconds)
{
	struct span name;

	tree_signed(t, object, key, seconds);
	if (!t->twins)
		return;
	name = arena_printf(t->arena, "%s_rfc3339", key);
	buf_reset(&t->text);
	if (!name.ptr)
		t->failed = true;
	else if (format_rfc3339(&t->text, seconds))
		tree_scratch(t, object, name.ptr, cJSON_String);
}

static void add_value(struct tree *t, cJSON *object, const struct field *f, const struct value *v)
{
	if (v->state == VALUE_ABSENT)
		return;
	if (v->state == VALUE_UNKNOWN) {
		tree_word(t, object, f->name, "null");
		return;
	}
	switch (f->type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		tree_string(t, object, f->name, v->str);
		break;
	case FIELD_MODE:
	case FIELD_KEY:
		add_short(t, object, f, v->u64);
		break;
	case FIELD_PERCENT:
		buf_reset(&t->text);
		format_value(&t->text, f, v, FORMAT_MACHINE);
		tree_scratch(t, object, f->name, cJSON_Raw);
		break;
	case FIELD_TIME:
		add_time(t, object, f->name, v->i64);
		break;
	case FIELD_I64:
		tree_signed(t, object, f->name, v->i64);
		break;
	case FIELD_BOOL:
		tree_word(t, object, f->name, v->flag ? "true" : "false");
		break;
	case FIELD_LIST:
		add_list(t, object, f->name, v->list);
		break;
	default:
		tree_number(t, object, f->name, v->u64);
	}
}

static void add_record(struct tree *t, cJSON *object, const struct record *r)
{
	for (size_t i = 0; i < r->schema->nfields; i++)
		add_value(t, object, &r->schema->fields[i], &r->values[i]);
}

static int record(struct renderer *r, struct arena *scratch, const struct record *rec, struct buf *out)
{
	const struct shown *shown = &r->view->shown[view_schema(r->view, rec->schema)];
	struct tree t; /* not cleared whole: the run is large */
	cJSON *object;
	int error;

	tree_init(&t, scratch, r->options.twins);
	object = tree_add(&t, NULL, NULL, cJSON_Object);
	for (size_t i = 0; object && i < shown->count; i++)
		add_value(&t, object, &rec->schema->fields[shown->fields[i]], &rec->values[shown->fields[i]]);
	error = tree_print(&t, object, out);
	buf_free(&t.text);
	return error;
}

static void begin(struct renderer *r _unused_, const struct document *d, struct buf *out)
{
	struct arena arena = { 0 };
	struct tree t;
	cJSON *head;

	tree_init(&t, &arena, false);
	head = tree_add(&t, NULL, NULL, cJSON_Object);
	if (head) {
		tree_number(&t, head, "schema", 1);
		tree_signed(&t, head, "time", d->time);
		tree_string(&t, head, "host", span_of(d->host));
	}
	if (tree_print(&t, head, out) < 0)
		out->failed = true;
	else
		out->len--; /* the object goes on */
	buf_printf(out, ",\"%s\":[", d->array);
	buf_free(&t.text);
	arena_free(&arena);
}

static void end(struct renderer *r _unused_, const struct document *d, struct buf *out)
{
	struct arena arena = { 0 };
	struct tree t;
	cJSON *tail, *array = NULL;
	size_t start;

	tree_init(&t, &arena, false);
	tail = tree_add(&t, NULL, NULL, cJSON_Object);
	if (tail) {
		tree_word(&t, tail, "complete", d->complete ? "true" : "false");
		tree_number(&t, tail, "unreadable_processes", d->unreadable_processes);
		array = tree_add(&t, tail, "warnings", cJSON_Array);
	}
	for (size_t i = 0; array && i < d->warnings->count; i++) {
		buf_reset(&t.text);
		warning_text(&d->warnings->items[i], &t.text);
		tree_scratch(&t, array, NULL, cJSON_String);
	}
	buf_puts(out, d->records ? "\n]," : "],");
	start = out->len;
	if (tree_print(&t, tail, out) < 0)
		out->failed = true;
	else
		memmove(out->data + start, out->data + start + 1, --out->len - start);
	buf_putc(out, '\n');
	buf_free(&t.text);
	arena_free(&arena);
}

const struct render_ops render_json = {
	.separator = ",\n", .first = 1, .begin = begin, .record = record, .end = end
};

static int record_line(struct renderer *r, struct arena *scratch, const struct record *rec, struct buf *out)
{
	int error = record(r, scratch, rec, out);

	buf_putc(out, '\n');
	return error;
}

const struct render_ops render_jsonl = { .record = record_line };
