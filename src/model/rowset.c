/* SPDX-License-Identifier: MIT */
#include "model/rowset.h"

#include <errno.h>

#include "lib/vec.h"

struct row {
	const struct schema *schema;
	struct fieldset set;
	struct value *values; /* one for each bit of set, in order */
	size_t number;	      /* order of adding */
};

int sort_parse(struct sort *sort, const char *spec, const struct schema *const *schemas, size_t nschemas,
	       struct field_error *error)
{
	struct span rest = span_of(spec);
	bool more = true;

	*sort = (struct sort){ 0 };
	while (more) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct span word = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };
		bool descending = span_starts(word, "-");
		struct span name = descending ? span_from(word, 1) : word;
		struct sort_key *keys = reallocarray(sort->keys, sort->count + 1, sizeof(*keys));
		int at = -1;

		if (!keys) {
			sort_free(sort);
			return -ENOMEM;
		}
		sort->keys = keys;
		for (size_t s = 0; s < nschemas && at < 0; s++) {
			at = schema_find(schemas[s], name);
			if (at >= 0)
				keys[sort->count++] =
					(struct sort_key){ &schemas[s]->fields[at], descending };
		}
		if (at < 0) {
			*error = (struct field_error){ .word = name,
						       .suggestion = suggest_field(schemas, nschemas, name) };
			sort_free(sort);
			return -EINVAL;
		}
		more = comma != NULL;
		if (more)
			rest = span_from(rest, word.len + 1);
	}
	return 0;
}

void sort_free(struct sort *sort)
{
	free(sort->keys);
	*sort = (struct sort){ 0 };
}

struct fieldset sort_fields(const struct sort *sort, const struct schema *schema)
{
	struct fieldset set = { 0 };

	for (size_t i = 0; i < sort->count; i++) {
		int at = schema_find(schema, span_of(sort->keys[i].field->name));

		if (at >= 0)
			set.bits |= (uint64_t)1 << at;
	}
	return set;
}

int rowset_add(struct rowset *rows, const struct record *r, struct fieldset set)
{
	struct row *row;
	size_t n = 0;

	if (vec_reserve(&rows->rows, rows->count, sizeof(*rows->rows)) < 0)
		return -ENOMEM;
	row = &rows->rows[rows->count];
	*row = (struct row){ .schema = r->schema, .set = set, .number = rows->count };
	row->values =
		arena_calloc(&rows->arena, (size_t)__builtin_popcountll(set.bits), sizeof(*row->values));
	if (!row->values)
		return -ENOMEM;
	for (size_t i = 0; i < r->schema->nfields; i++)
		if (wants(set, i))
			row->values[n++] = value_copy(&r->values[i], &r->schema->fields[i], &rows->arena);
	/* What could not be copied would look like a value that nobody knows. */
	if (rows->arena.failed)
		return -ENOMEM;
	rows->count++;
	return 0;
}

/* The value of a field in a row, or NULL. */
static const struct value *row_value(const struct row *row, const char *name)
{
	int at = schema_find(row->schema, span_of(name));

	if (at < 0 || !wants(row->set, (size_t)at))
		return NULL;
	return &row->values[__builtin_popcountll(row->set.bits & (((uint64_t)1 << at) - 1))];
}

static int compare_rows(const void *pa, const void *pb, void *sort_pointer)
{
	static const struct value absent = { .state = VALUE_ABSENT };
	const struct sort *sort = sort_pointer;
	const struct row *a = pa, *b = pb;

	for (size_t i = 0; i < sort->count; i++) {
		const struct sort_key *key = &sort->keys[i];
		const struct value *va = row_value(a, key->field->name);
		const struct value *vb = row_value(b, key->field->name);
		int r = value_compare(key->field, va ? va : &absent, vb ? vb : &absent);
		/* What is not known stays last in either direction. */
		bool both = va && vb && va->state == VALUE_SET && vb->state == VALUE_SET;

		if (r)
			return key->descending && both ? -r : r;
	}
	return (a->number > b->number) - (a->number < b->number);
}

void rowset_sort(struct rowset *rows, const struct sort *sort)
{
	if (rows->count > 1)
		qsort_r(rows->rows, rows->count, sizeof(*rows->rows), compare_rows, (void *)(uintptr_t)sort);
}

int rowset_get(const struct rowset *rows, size_t i, struct arena *arena, struct record *r)
{
	const struct row *row = &rows->rows[i];
	size_t n = 0;

	if (record_init(r, row->schema, arena) < 0)
		return -ENOMEM;
	r->unknowns = true;
	for (size_t f = 0; f < row->schema->nfields; f++)
		if (wants(row->set, f))
			r->values[f] = row->values[n++];
	return 0;
}

size_t rowset_number(const struct rowset *rows, size_t i)
{
	return rows->rows[i].number;
}

void rowset_free(struct rowset *rows)
{
	free(rows->rows);
	arena_free(&rows->arena);
	*rows = (struct rowset){ 0 };
}
