/* SPDX-License-Identifier: MIT */
#include "model/packed.h"

#include <errno.h>

/*
 * A byte for the state; behind one that is set eight bytes of a number, or the length in eight bytes and the
 * text, or the length in eight bytes, the number of rows in eight, and the cells of a list.
 */

static bool is_text(const struct field *field)
{
	return field->type == FIELD_STR || field->type == FIELD_REF || field->type == FIELD_BLOB;
}

static void put_number(struct buf *b, uint64_t v)
{
	buf_put(b, &v, sizeof(v));
}

static uint64_t number_at(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void pack_value(struct buf *b, const struct field *field, const struct value *v);

static void pack_list(struct buf *b, const struct list *list)
{
	size_t width = list->schema->nfields, start = b->len;
	uint64_t length;

	put_number(b, 0);
	put_number(b, list->count);
	for (size_t i = 0; i < list->count * width; i++)
		pack_value(b, &list->schema->fields[i % width], &list->cells[i]);
	if (b->failed)
		return;
	length = b->len - start - sizeof(length);
	memcpy(b->data + start, &length, sizeof(length));
}

static void pack_value(struct buf *b, const struct field *field, const struct value *v)
{
	buf_putc(b, (char)v->state);
	if (v->state != VALUE_SET)
		return;
	if (is_text(field)) {
		put_number(b, v->str.len);
		buf_put_span(b, v->str);
	} else if (field->type == FIELD_LIST) {
		pack_list(b, v->list);
	} else if (field->type == FIELD_BOOL) {
		put_number(b, v->flag);
	} else {
		put_number(b, v->u64); /* or i64: the same eight bytes */
	}
}

void pack_values(struct buf *b, const struct record *r, struct fieldset set)
{
	for (uint64_t left = set.bits; left != 0; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);

		pack_value(b, &r->schema->fields[i], &r->values[i]);
	}
}

struct span packed_next(struct span *rest, const struct field *field)
{
	struct span bytes = { rest->ptr, 1 };

	if (packed_state(bytes) == VALUE_SET) {
		bytes.len += sizeof(uint64_t);
		if (is_text(field) || field->type == FIELD_LIST)
			bytes.len += number_at(rest->ptr + 1);
	}
	*rest = span_from(*rest, bytes.len);
	return bytes;
}

enum value_state packed_state(struct span bytes)
{
	return (enum value_state)bytes.ptr[0];
}

static struct list *unpack_list(struct span bytes, const struct schema *schema, struct arena *arena)
{
	struct list *list = arena_calloc(arena, 1, sizeof(*list));
	struct span rest = span_from(bytes, 1 + sizeof(uint64_t));

	if (!list)
		return NULL;
	list->schema = schema;
	list->count = list->cap = (size_t)number_at(rest.ptr);
	rest = span_from(rest, sizeof(uint64_t));
	list->cells = arena_calloc(arena, list->count * schema->nfields, sizeof(*list->cells));
	if (!list->cells)
		return NULL;
	for (size_t i = 0; i < list->count * schema->nfields; i++) {
		const struct field *field = &schema->fields[i % schema->nfields];

		list->cells[i] = packed_value(packed_next(&rest, field), field, arena);
	}
	return list;
}

struct value packed_value(struct span bytes, const struct field *field, struct arena *arena)
{
	struct value v = { .state = packed_state(bytes) };

	if (v.state != VALUE_SET)
		return v;
	if (is_text(field)) {
		v.str = span_from(bytes, 1 + sizeof(uint64_t));
	} else if (field->type == FIELD_LIST) {
		v.list = unpack_list(bytes, field->items, arena);
		if (!v.list)
			return (struct value){ .state = VALUE_UNKNOWN, .error = ENOMEM };
	} else if (field->type == FIELD_BOOL) {
		v.flag = number_at(bytes.ptr + 1) != 0;
	} else {
		v.u64 = number_at(bytes.ptr + 1);
	}
	return v;
}

struct span packed_field(struct span packed, const struct schema *schema, struct fieldset set, size_t field)
{
	struct span bytes = { 0 };

	for (size_t i = 0; i <= field; i++)
		if (wants(set, i))
			bytes = packed_next(&packed, &schema->fields[i]);
	return bytes;
}
