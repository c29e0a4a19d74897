/* SPDX-License-Identifier: MIT */
/* Records kept for sorting: only the wanted values, packed. */
#pragma once

#include "model/view.h"

struct row;

struct rowset {
	struct row *rows;
	size_t count;
	struct arena arena;
};

/* One field to sort by. */
struct sort_key {
	const struct field *field;
	bool descending;
};

struct sort {
	struct sort_key *keys;
	size_t count;
};

/* Parses "FIELD,-FIELD,..." for these schemas. 0, -EINVAL (error) or -ENOMEM. */
int sort_parse(struct sort *sort, const char *spec, const struct schema *const *schemas, size_t nschemas,
	       struct field_error *error) _must_check_;
void sort_free(struct sort *sort);
/* The fields of a schema that the order depends on. */
struct fieldset sort_fields(const struct sort *sort, const struct schema *schema);

/* Keeps a copy of the values of r in set. 0 or -ENOMEM. */
int rowset_add(struct rowset *rows, const struct record *r, struct fieldset set) _must_check_;
/* Sorts; rows that compare equal keep the order of adding. */
void rowset_sort(struct rowset *rows, const struct sort *sort);
/* The i-th row as a record in the arena (reset it when done). 0 or -ENOMEM. */
int rowset_get(const struct rowset *rows, size_t i, struct arena *arena, struct record *r) _must_check_;
/* The how-manieth to be added the i-th row was, from 0. */
size_t rowset_number(const struct rowset *rows, size_t i);
void rowset_free(struct rowset *rows);
