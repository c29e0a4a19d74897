/* SPDX-License-Identifier: MIT */
/*
 * JSON by way of libcjson, one tree for each record, printed and dropped before
 * the next. The nodes come from an arena and keys are not copied. Numbers are
 * written as raw text, since cJSON keeps numbers as doubles; strings are
 * escaped first, since cJSON passes bytes through that are not UTF-8.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>

#include "lib/escape.h"
#include "model/format.h"
#include "render/render.h"

#define RUN_SIZE 1024

/*
 * A tree under construction. Lack of memory is remembered.
 *
 * Most members of a record are numbers and plain words, whose JSON is their own
 * text. cJSON looks at each byte of a key and of a string, and measures each
 * piece that it has printed, which is half of all the time a listing takes. So
 * neighbouring plain members of an object are gathered into one raw node: its key
 * is that of the first, its value `1,"next":2,"another":"word"`.
 */
struct tree {
	struct arena *arena;
	cJSON *run;	   /* the raw node that is being gathered, or NULL */
	cJSON *run_parent; /* the object it belongs to */
	size_t run_length;
	char run_text[RUN_SIZE];
	struct buf text; /* scratch for one value */
	size_t length;	 /* bound of what printing will take */
	bool twins;
	bool failed;
};

/* Bound of a key with its quotes, colon and comma. */
#define NODE_OVERHEAD 64

static void tree_init(struct tree *t, struct arena *arena, bool twins)
{
	t->arena = arena;
	t->run = NULL;
	t->run_parent = NULL;
	t->run_length = 0;
	t->text = (struct buf){ 0 };
	t->length = 0;
	t->twins = twins;
	t->failed = false;
}

/* Ends the run: its text becomes the value of its node. */
static void end_run(struct tree *t)
{
	struct span text = { t->run_text, t->run_length };

	if (!t->run)
		return;
	text = arena_span(t->arena, text);
	t->failed |= !text.ptr;
	t->run->valuestring = (char *)(uintptr_t)text.ptr;
	t->length += text.len;
	t->run = NULL;
}

/* A new node at the end of parent, with `extra` bytes behind it for its text. */
static inline cJSON *add_with_room(struct tree *t, cJSON *parent, const char *key, int type, size_t extra)
{
	cJSON *item;

	end_run(t);
	item = arena_alloc(t->arena, sizeof(*item) + extra);
	if (!item) {
		t->failed = true;
		return NULL;
	}
	/* Only what cJSON_Print reads. */
	item->next = NULL;
	item->child = NULL;
	item->type = type | cJSON_StringIsConst;
	item->valuestring = NULL;
	item->string = (char *)(uintptr_t)key;
	t->length += NODE_OVERHEAD;
	if (!parent) {
		item->prev = item;
		return item;
	}
	/* As cJSON does: the first child's prev is the last child. */
	if (!parent->child) {
		parent->child = item;
		item->prev = item;
	} else {
		cJSON *last = parent->child->prev;

		last->next = item;
		item->prev = last;
		parent->child->prev = item;
	}
	return item;
}

static cJSON *add(struct tree *t, cJSON *parent, const char *key, int type)
{
	return add_with_room(t, parent, key, type, 0);
}

static void add_text(struct tree *t, cJSON *parent, const char *key, int type, struct span text)
{
	cJSON *item = add_with_room(t, parent, key, type, text.len + 1);
	char *copy;

	t->failed |= t->text.failed; /* where most of it comes from */
	if (!item)
		return;
	copy = (char *)(item + 1);
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	item->valuestring = copy;
	/* A backslash or quote takes two bytes; controls were escaped before. */
	t->length += type == cJSON_String ? 2 * text.len : text.len;
}

/*
 * Room for `need` bytes of a plain value in the run of parent, behind its key. The
 * caller writes them and adds to run_length. NULL if there is none, or no memory.
 */
static char *add_to_run(struct tree *t, cJSON *parent, const char *key, size_t need)
{
	size_t n = strlen(key);
	char *p;

	if (need > RUN_SIZE)
		return NULL;
	if (!t->run || t->run_parent != parent || t->run_length + n + 4 + need > RUN_SIZE) {
		cJSON *node = add(t, parent, key, cJSON_Raw);

		if (!node)
			return NULL;
		t->run = node;
		t->run_parent = parent;
		t->run_length = 0;
		return t->run_text;
	}
	p = t->run_text + t->run_length;
	*p++ = ',';
	*p++ = '"';
	memcpy(p, key, n);
	p += n;
	*p++ = '"';
	*p++ = ':';
	t->run_length += n + 4;
	return p;
}

/* Whether every byte is printable ASCII and neither quote nor backslash: such a text
 * is its own JSON. Eight bytes at a
 * time; the borrows and carries between them can only refuse too much. */
static bool is_plain(struct span s)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t bad = 0, w;

	for (size_t i = 0, n; i < s.len; i += n) {
		n = s.len - i < sizeof(w) ? s.len - i : sizeof(w);
		w = ones * ' ';
		memcpy(&w, s.ptr + i, n);
		bad |= w | (w + ones) | (w - ones * 0x20) | ((w ^ ones * '\\') - ones) |
		       ((w ^ ones * '"') - ones);
	}
	return !(bad & ones << 7);
}

static void add_string(struct tree *t, cJSON *parent, const char *key, struct span s)
{
	char *p = key && is_plain(s) ? add_to_run(t, parent, key, s.len + 2) : NULL;

	if (!p) {
		buf_reset(&t->text);
		escape_into(&t->text, s);
		add_text(t, parent, key, cJSON_String, buf_span(&t->text));
		return;
	}
	*p++ = '"';
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '"';
	t->run_length += s.len + 2;
}

static void add_number(struct tree *t, cJSON *parent, const char *key, uint64_t magnitude, bool negative)
{
	char *p = add_to_run(t, parent, key, 21);

	if (!p)
		return; /* no memory: the tree knows */
	if (negative)
		*p++ = '-';
	t->run_length += negative + format_u64(p, magnitude);
}

/* null, true, false. */
static void add_word(struct tree *t, cJSON *parent, const char *key, const char *word)
{
	size_t n = strlen(word);
	char *p = add_to_run(t, parent, key, n);

	if (!p)
		return;
	memcpy(p, word, n);
	t->run_length += n;
}

/* A key or mode: digits in quotes. */
static void add_short(struct tree *t, cJSON *parent, const struct field *f, uint64_t v)
{
	char text[11];

	add_string(t, parent, f->name,
		   (struct span){ text, f->type == FIELD_KEY ? format_key(text, v) : format_mode(text, v) });
}

static void add_record(struct tree *t, cJSON *object, const struct record *r);

static void add_list(struct tree *t, cJSON *parent, const char *key, const struct list *list)
{
	cJSON *array = add(t, parent, key, cJSON_Array);
	struct record row;

	for (size_t i = 0; array && i < list->count; i++) {
		cJSON *object = add(t, array, NULL, cJSON_Object);

		list_row(list, i, &row);
		if (object)
			add_record(t, object, &row);
	}
}

static void add_time(struct tree *t, cJSON *object, const char *key, int64_t seconds)
{
	struct span name;

	add_number(t, object, key, seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds, seconds < 0);
	if (!t->twins)
		return;
	name = arena_printf(t->arena, "%s_rfc3339", key);
	buf_reset(&t->text);
	if (!name.ptr)
		t->failed = true;
	else if (format_rfc3339(&t->text, seconds))
		add_text(t, object, name.ptr, cJSON_String, buf_span(&t->text));
}

static void add_value(struct tree *t, cJSON *object, const struct field *f, const struct value *v)
{
	if (v->state == VALUE_ABSENT)
		return;
	if (v->state == VALUE_UNKNOWN) {
		add_word(t, object, f->name, "null");
		return;
	}
	switch (f->type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		add_string(t, object, f->name, v->str);
		break;
	case FIELD_MODE:
	case FIELD_KEY:
		add_short(t, object, f, v->u64);
		break;
	case FIELD_PERCENT:
		buf_reset(&t->text);
		format_value(&t->text, f, v, FORMAT_MACHINE);
		add_text(t, object, f->name, cJSON_Raw, buf_span(&t->text));
		break;
	case FIELD_TIME:
		add_time(t, object, f->name, v->i64);
		break;
	case FIELD_I64:
		add_number(t, object, f->name, v->i64 < 0 ? 0 - (uint64_t)v->i64 : (uint64_t)v->i64,
			   v->i64 < 0);
		break;
	case FIELD_BOOL:
		add_word(t, object, f->name, v->flag ? "true" : "false");
		break;
	case FIELD_LIST:
		add_list(t, object, f->name, v->list);
		break;
	default:
		add_number(t, object, f->name, v->u64, false);
	}
}

static void add_record(struct tree *t, cJSON *object, const struct record *r)
{
	for (size_t i = 0; i < r->schema->nfields; i++)
		add_value(t, object, &r->schema->fields[i], &r->values[i]);
}

static int print(struct tree *t, cJSON *root, struct buf *out)
{
	size_t room;
	char *p;

	end_run(t);
	/* cJSON wants some bytes to spare (see cJSON_PrintPreallocated()). */
	room = t->length + 64;
	p = t->failed || room > INT_MAX ? NULL : buf_reserve(out, room);
	if (!p || !cJSON_PrintPreallocated(root, p, (int)room, false))
		return -ENOMEM;
	out->len += strlen(p);
	return 0;
}

static int record(struct renderer *r, struct arena *scratch, const struct record *rec, struct buf *out)
{
	const struct shown *shown = &r->view->shown[view_schema(r->view, rec->schema)];
	struct tree t; /* not cleared whole: the run is large */
	cJSON *object;
	int error;

	tree_init(&t, scratch, r->options.twins);
	object = add(&t, NULL, NULL, cJSON_Object);
	for (size_t i = 0; object && i < shown->count; i++)
		add_value(&t, object, &rec->schema->fields[shown->fields[i]], &rec->values[shown->fields[i]]);
	error = print(&t, object, out);
	buf_free(&t.text);
	return error;
}

static void begin(struct renderer *r _unused_, const struct document *d, struct buf *out)
{
	struct arena arena = { 0 };
	struct tree t;
	cJSON *head;

	tree_init(&t, &arena, false);
	head = add(&t, NULL, NULL, cJSON_Object);
	if (head) {
		add_number(&t, head, "schema", 1, false);
		add_number(&t, head, "time", (uint64_t)d->time, false);
		add_string(&t, head, "host", span_of(d->host));
	}
	if (print(&t, head, out) < 0)
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
	tail = add(&t, NULL, NULL, cJSON_Object);
	if (tail) {
		add_word(&t, tail, "complete", d->complete ? "true" : "false");
		add_number(&t, tail, "unreadable_processes", d->unreadable_processes, false);
		array = add(&t, tail, "warnings", cJSON_Array);
	}
	for (size_t i = 0; array && i < d->warnings->count; i++) {
		buf_reset(&t.text);
		warning_text(&d->warnings->items[i], &t.text);
		add_text(&t, array, NULL, cJSON_String, buf_span(&t.text));
	}
	buf_puts(out, d->records ? "\n]," : "],");
	start = out->len;
	if (print(&t, tail, out) < 0)
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
