/* SPDX-License-Identifier: MIT */
#include "model/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int record_init(struct record *r, const struct schema *schema, struct arena *arena)
{
	*r = (struct record){
		.schema = schema,
		.arena = arena,
		.values = arena_calloc(arena, schema->nfields, sizeof(*r->values)),
	};
	return r->values ? 0 : -ENOMEM;
}

void record_clear(struct record *r)
{
	memset(r->values, 0, r->schema->nfields * sizeof(*r->values));
	r->unknowns = false;
}

void record_unknown(struct record *r, size_t field, int error)
{
	r->values[field] = (struct value){ .state = VALUE_UNKNOWN, .error = error < 0 ? -error : error };
	r->unknowns = true;
	if (r->values[field].error == ENOMEM)
		r->arena->failed = true;
}

void record_unknown_why(struct record *r, size_t field, enum why why)
{
	r->values[field] = (struct value){ .state = VALUE_UNKNOWN, .error = why };
	r->unknowns = true;
}

void record_printf(struct record *r, size_t field, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0)
		p = arena_alloc(r->arena, (size_t)n + 1);
	if (p) {
		vsnprintf(p, (size_t)n + 1, fmt, again);
		record_str(r, field, (struct span){ p, (size_t)n });
	} else {
		record_unknown(r, field, ENOMEM);
	}
	va_end(again);
}

struct list *record_list(struct record *r, size_t field)
{
	struct list *list = arena_calloc(r->arena, 1, sizeof(*list));

	if (!list) {
		record_unknown(r, field, ENOMEM);
		return NULL;
	}
	list->schema = r->schema->fields[field].items;
	r->values[field].state = VALUE_SET;
	r->values[field].list = list;
	return list;
}

int list_append(struct record *r, struct list *list, struct record *row)
{
	size_t width = list->schema->nfields;

	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 4;
		struct value *cells = arena_calloc(r->arena, cap, width * sizeof(*cells));

		if (!cells)
			return -ENOMEM;
		if (list->count)
			memcpy(cells, list->cells, list->count * width * sizeof(*cells));
		list->cells = cells;
		list->cap = cap;
	}
	list_row(list, list->count++, row);
	row->arena = r->arena;
	return 0;
}

void list_row(const struct list *list, size_t i, struct record *row)
{
	*row = (struct record){
		.schema = list->schema,
		.values = &list->cells[i * list->schema->nfields],
		.unknowns = true,
	};
}

static struct list *list_copy(const struct list *from, struct arena *arena)
{
	size_t width = from->schema->nfields;
	struct list *to = arena_calloc(arena, 1, sizeof(*to));

	if (!to)
		return NULL;
	*to = *from;
	to->cap = from->count;
	to->cells = arena_calloc(arena, from->count * width, sizeof(*to->cells));
	if (!to->cells)
		return NULL;
	for (size_t i = 0; i < from->count * width; i++)
		to->cells[i] = value_copy(&from->cells[i], &from->schema->fields[i % width], arena);
	return to;
}

struct value value_copy(const struct value *v, const struct field *field, struct arena *arena)
{
	struct value copy = *v;
	bool ok = true;

	if (v->state != VALUE_SET)
		return copy;
	if (field->type == FIELD_LIST) {
		copy.list = list_copy(v->list, arena);
		ok = copy.list != NULL;
	} else if (field->type == FIELD_STR || field->type == FIELD_REF || field->type == FIELD_BLOB) {
		copy.str = arena_span(arena, v->str);
		ok = copy.str.ptr != NULL;
	}
	if (!ok)
		copy = (struct value){ .state = VALUE_UNKNOWN, .error = ENOMEM };
	return copy;
}

static int compare_spans(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int r = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

int value_compare(const struct field *field, const struct value *a, const struct value *b)
{
	if (a->state != VALUE_SET || b->state != VALUE_SET)
		return (b->state == VALUE_SET) - (a->state == VALUE_SET);
	switch (field->type) {
	case FIELD_I64:
	case FIELD_TIME:
		return (a->i64 > b->i64) - (a->i64 < b->i64);
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		return compare_spans(a->str, b->str);
	case FIELD_BOOL:
		return a->flag - b->flag;
	case FIELD_LIST:
		return (a->list->count > b->list->count) - (a->list->count < b->list->count);
	default:
		return (a->u64 > b->u64) - (a->u64 < b->u64);
	}
}
