/* SPDX-License-Identifier: MIT */
#include "model/field.h"

int schema_find(const struct schema *schema, struct span name)
{
	for (size_t i = 0; i < schema->nfields; i++)
		if (span_is(name, schema->fields[i].name))
			return (int)i;
	return -1;
}

struct fieldset schema_set(const struct schema *schema, unsigned without)
{
	struct fieldset set = { 0 };

	for (size_t i = 0; i < schema->nfields; i++)
		if (!(schema->fields[i].flags & without))
			set.bits |= (uint64_t)1 << i;
	return set;
}

unsigned schema_sources(const struct schema *schema, struct fieldset set)
{
	unsigned sources = 0;

	for (size_t i = 0; i < schema->nfields; i++)
		if (wants(set, i))
			sources |= schema->fields[i].sources;
	return sources;
}

bool field_is_number(enum field_type type)
{
	return type != FIELD_STR && type != FIELD_REF && type != FIELD_BLOB && type != FIELD_LIST &&
	       type != FIELD_BOOL;
}
