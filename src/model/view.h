/* SPDX-License-Identifier: MIT */
/* Which fields are shown, in which order, for records of one or several schemas. */
#pragma once

#include "model/record.h"

/* Why a word of the user's about fields was refused. */
struct field_error {
	struct span word;	  /* the word that was wrong; points into what was given */
	const char *suggestion;	  /* a field that was perhaps meant, or NULL */
	const char *expected;	  /* what would be right, or NULL: "no such field" */
	const char *const *words; /* or one of these; NULL-terminated, or NULL */
};

struct column {
	const char *name;
	const struct field *field; /* of the first schema that has it */
	unsigned spared;	   /* fields with these flags are not read for it; 0: it was named */
};

struct view {
	const struct schema *const *schemas;
	size_t nschemas;
	struct column *columns;
	size_t ncolumns;
	int *index;	     /* [schema * ncolumns + column]: field of the schema, or -1: none, or spared */
	struct shown *shown; /* for each schema */
	bool as_named;	     /* the order of -o, not that of the schemas */
};

/*
 * The shown fields of one schema, for output that is not bound to columns: in
 * the order of -o, or of the schema where -o does not choose.
 */
struct shown {
	size_t *fields;
	size_t count;
	struct fieldset set;
};

/* What a view starts from when -o does not name the fields. */
enum view_default {
	VIEW_TABLE,	 /* the default columns; of several schemas the mixed ones */
	VIEW_LISTING,	 /* everything but what costs a call per object */
	VIEW_EVERYTHING, /* everything but what needs an option of its own */
	VIEW_CONTENTS,	 /* that too */
};

/*
 * Builds a view. A column of several schemas does not make those pay for it in which
 * the field is on demand, unless spec names it. spec is the argument of -o: NULL, "FIELD,...", "+FIELD,..."
 * (adds to the default) or "all". schemas must outlive the view. Returns 0,
 * -EINVAL (error is filled in) or -ENOMEM.
 */
int view_init(struct view *view, const struct schema *const *schemas, size_t nschemas, const char *spec,
	      enum view_default start, struct field_error *error) _must_check_;
void view_free(struct view *view);
/*
 * Fields of a schema that are read in any case, for a filter say: where the view has a
 * column for one that it would spare, it shows it too.
 */
void view_read(struct view *view, size_t schema, struct fieldset read);
/* Position of schema in the view; the schema must be one of the view's. */
size_t view_schema(const struct view *view, const struct schema *schema);
/* Field of the record behind a column, or NULL if its schema has none, or spares it. */
static inline const struct value *view_value(const struct view *view, size_t schema, size_t column,
					     const struct record *r)
{
	int i = view->index[schema * view->ncolumns + column];

	return i < 0 ? NULL : &r->values[i];
}
/* The field that error.word is nearest to, of all these schemas. */
const char *suggest_field(const struct schema *const *schemas, size_t nschemas, struct span word);
