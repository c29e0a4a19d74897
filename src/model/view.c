/* SPDX-License-Identifier: MIT */
#include "model/view.h"

#include <errno.h>

#include "lib/suggest.h"

const char *suggest_field(const struct schema *const *schemas, size_t nschemas, struct span word)
{
	struct suggest s = { 0 };
	char text[64];

	if (word.len >= sizeof(text))
		return NULL;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	for (size_t i = 0; i < nschemas; i++)
		for (size_t f = 0; f < schemas[i]->nfields; f++)
			suggest_offer(&s, text, schemas[i]->fields[f].name);
	return s.best;
}

/* spared: fields with these flags are not read for the column. */
static int add_column(struct view *v, const struct field *field, unsigned spared)
{
	struct column *columns;

	for (size_t i = 0; i < v->ncolumns; i++)
		if (strcmp(v->columns[i].name, field->name) == 0) {
			v->columns[i].spared &= spared;
			return 0;
		}
	columns = reallocarray(v->columns, v->ncolumns + 1, sizeof(*columns));
	if (!columns)
		return -ENOMEM;
	v->columns = columns;
	v->columns[v->ncolumns++] = (struct column){ field->name, field, spared };
	return 0;
}

static bool starts_with(const struct field *f, enum view_default start, bool mixed)
{
	switch (start) {
	case VIEW_TABLE:
		return f->flags & (mixed ? FIELD_MIXED : FIELD_DEFAULT);
	case VIEW_LISTING:
		return !(f->flags & (FIELD_ON_DEMAND | FIELD_EXPLICIT));
	case VIEW_EVERYTHING:
		return !(f->flags & FIELD_EXPLICIT);
	default:
		return true;
	}
}

/* What costs a call per object, or more, is read for a column that nobody named only
 * if the field's own schema puts it there. */
static unsigned spared_by(enum view_default start)
{
	switch (start) {
	case VIEW_TABLE:
	case VIEW_LISTING:
		return FIELD_ON_DEMAND | FIELD_EXPLICIT;
	case VIEW_EVERYTHING:
		return FIELD_EXPLICIT;
	default:
		return 0;
	}
}

static int add_defaults(struct view *v, enum view_default start)
{
	for (size_t s = 0; s < v->nschemas; s++)
		for (size_t i = 0; i < v->schemas[s]->nfields; i++)
			if (starts_with(&v->schemas[s]->fields[i], start, v->nschemas > 1) &&
			    add_column(v, &v->schemas[s]->fields[i], spared_by(start)) < 0)
				return -ENOMEM;
	return 0;
}

static int add_named(struct view *v, struct span name, struct field_error *error)
{
	if (span_is(name, "all"))
		return add_defaults(v, VIEW_EVERYTHING);
	for (size_t s = 0; s < v->nschemas; s++) {
		int i = schema_find(v->schemas[s], name);

		if (i >= 0)
			return add_column(v, &v->schemas[s]->fields[i], 0);
	}
	*error = (struct field_error){ .word = name,
				       .suggestion = suggest_field(v->schemas, v->nschemas, name) };
	return -EINVAL;
}

static int add_spec(struct view *v, struct span spec, struct field_error *error)
{
	while (true) {
		const char *comma = memchr(spec.ptr, ',', spec.len);
		struct span name = { spec.ptr, comma ? (size_t)(comma - spec.ptr) : spec.len };
		int r = add_named(v, name, error);

		if (r < 0 || !comma)
			return r;
		spec = span_from(spec, name.len + 1);
	}
}

/* The field of a schema that is read for a column, or -1. */
static int column_field(const struct view *v, size_t schema, const struct column *column,
			enum view_default start)
{
	int i = schema_find(v->schemas[schema], span_of(column->name));
	const struct field *f = i < 0 ? NULL : &v->schemas[schema]->fields[i];

	if (f && f->flags & column->spared && !starts_with(f, start, v->nschemas > 1))
		return -1;
	return i;
}

static int map_columns(struct view *v, enum view_default start)
{
	v->index = calloc(v->nschemas * v->ncolumns + 1, sizeof(*v->index));
	if (!v->index)
		return -ENOMEM;
	for (size_t s = 0; s < v->nschemas; s++)
		for (size_t c = 0; c < v->ncolumns; c++)
			v->index[s * v->ncolumns + c] = column_field(v, s, &v->columns[c], start);
	return 0;
}

static int compare_numbers(const void *pa, const void *pb)
{
	const size_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

static void show_field(struct view *v, size_t schema, int field)
{
	struct shown *shown = &v->shown[schema];

	shown->fields[shown->count++] = (size_t)field;
	shown->set.bits |= (uint64_t)1 << field;
}

static void order_shown(struct view *v)
{
	for (size_t s = 0; !v->as_named && s < v->nschemas; s++)
		qsort(v->shown[s].fields, v->shown[s].count, sizeof(*v->shown[s].fields), compare_numbers);
}

static int list_shown(struct view *v)
{
	v->shown = calloc(v->nschemas + 1, sizeof(*v->shown));
	if (!v->shown)
		return -ENOMEM;
	for (size_t s = 0; s < v->nschemas; s++) {
		v->shown[s].fields = calloc(v->ncolumns + 1, sizeof(*v->shown[s].fields));
		if (!v->shown[s].fields)
			return -ENOMEM;
		for (size_t c = 0; c < v->ncolumns; c++)
			if (v->index[s * v->ncolumns + c] >= 0)
				show_field(v, s, v->index[s * v->ncolumns + c]);
	}
	order_shown(v);
	return 0;
}

void view_read(struct view *v, size_t schema, struct fieldset read)
{
	for (size_t c = 0; c < v->ncolumns; c++) {
		int *index = &v->index[schema * v->ncolumns + c];
		int i = schema_find(v->schemas[schema], span_of(v->columns[c].name));

		if (*index < 0 && i >= 0 && wants(read, (size_t)i)) {
			*index = i;
			show_field(v, schema, i);
		}
	}
	order_shown(v);
}

int view_init(struct view *view, const struct schema *const *schemas, size_t nschemas, const char *spec,
	      enum view_default start, struct field_error *error)
{
	bool adds = spec && spec[0] == '+';
	int r = 0;

	*view = (struct view){ .schemas = schemas, .nschemas = nschemas, .as_named = spec && !adds };
	if (!spec || adds)
		r = add_defaults(view, start);
	if (r == 0 && spec)
		r = add_spec(view, span_of(adds ? spec + 1 : spec), error);
	if (r == 0)
		r = map_columns(view, start);
	if (r == 0)
		r = list_shown(view);
	if (r < 0)
		view_free(view);
	return r;
}

void view_free(struct view *view)
{
	for (size_t s = 0; view->shown && s < view->nschemas; s++)
		free(view->shown[s].fields);
	free(view->shown);
	free(view->columns);
	free(view->index);
	*view = (struct view){ 0 };
}

size_t view_schema(const struct view *view, const struct schema *schema)
{
	size_t i = 0;

	while (i + 1 < view->nschemas && view->schemas[i] != schema)
		i++;
	return i;
}
