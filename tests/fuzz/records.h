/* SPDX-License-Identifier: MIT */
/* Tables of fields, and records of them, made of the input. */
#pragma once

#include "fuzz.h"
#include "model/record.h"

#define MOST_FIELDS 12

/* One name has one type, in whatever table it stands, as in those of the kinds. */
static const struct {
	const char *name;
	enum field_type type;
} field_pool[] = {
	{ "ref", FIELD_REF },	      { "state", FIELD_STR },	 { "name", FIELD_STR },
	{ "size", FIELD_BYTES },      { "count", FIELD_U64 },	 { "delta", FIELD_I64 },
	{ "full", FIELD_PERCENT },    { "uid", FIELD_UID },	 { "gid", FIELD_GID },
	{ "pid", FIELD_PID },	      { "mode", FIELD_MODE },	 { "key", FIELD_KEY },
	{ "atime", FIELD_TIME },      { "age", FIELD_DURATION }, { "flag", FIELD_BOOL },
	{ "reason", FIELD_STR },      { "content", FIELD_BLOB }, { "offset", FIELD_U64 },
	{ "command", FIELD_STR },     { "holders", FIELD_LIST }, { "waiters", FIELD_LIST },
	{ "a_long_name", FIELD_STR },
};

/* With or without lists: a list has no lists, and no field that needs an option of its own. */
static inline const struct schema *take_schema(struct input *in, struct arena *arena, bool lists)
{
	struct schema *schema = arena_calloc(arena, 1, sizeof(*schema));
	struct field *fields = arena_calloc(arena, MOST_FIELDS, sizeof(*fields));
	size_t n = 1 + take_below(in, MOST_FIELDS);

	EXPECT(schema && fields);
	*schema = (struct schema){ .name = "kind", .fields = fields };
	for (size_t i = 0; i < n; i++) {
		size_t chosen = take_below(in, ARRAY_SIZE(field_pool));
		unsigned flags = take_byte(in) & ~(lists ? 0u : (unsigned)FIELD_EXPLICIT);

		if (schema_find(schema, span_of(field_pool[chosen].name)) >= 0 ||
		    (field_pool[chosen].type == FIELD_LIST && !lists))
			continue;
		fields[schema->nfields++] = (struct field){ .name = field_pool[chosen].name,
							    .type = field_pool[chosen].type,
							    .flags = flags,
							    .help = "h" };
		if (field_pool[chosen].type == FIELD_LIST)
			fields[schema->nfields - 1].items = take_schema(in, arena, false);
	}
	if (schema->nfields == 0)
		fields[schema->nfields++] = (struct field){
			.name = "ref", .type = FIELD_REF, .flags = FIELD_DEFAULT, .help = "h"
		};
	return schema;
}

static inline void take_values(struct input *in, struct record *r);

static inline void take_list(struct input *in, struct record *r, size_t field)
{
	struct list *list = record_list(r, field);
	struct record row;

	EXPECT(list);
	for (size_t n = take_below(in, 5); n > 0; n--) {
		EXPECT(list_append(r, list, &row) == 0);
		take_values(in, &row);
	}
}

static inline struct span take_arena_text(struct input *in, struct arena *arena)
{
	struct span text = arena_span(arena, take_text(in));

	EXPECT(text.ptr);
	return text;
}

static inline void take_value(struct input *in, struct record *r, size_t field)
{
	switch (r->schema->fields[field].type) {
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		record_str(r, field, take_arena_text(in, r->arena));
		break;
	case FIELD_LIST:
		take_list(in, r, field);
		break;
	case FIELD_BOOL:
		record_bool(r, field, take_bool(in));
		break;
	case FIELD_I64:
	case FIELD_TIME:
		record_i64(r, field, (int64_t)take_number(in));
		break;
	case FIELD_MODE:
		record_u64(r, field, take_number(in) & 07777);
		break;
	case FIELD_KEY:
		record_u64(r, field, take_number(in) & UINT32_MAX);
		break;
	default:
		record_u64(r, field, take_number(in));
	}
}

static inline void take_values(struct input *in, struct record *r)
{
	for (size_t i = 0; i < r->schema->nfields; i++) {
		switch (take_below(in, 8)) {
		case 0:
			break; /* absent */
		case 1:
			record_unknown(r, i, (int)take_below(in, 40));
			break;
		case 2:
			record_unknown_why(r, i, (enum why) - (int)take_below(in, 20));
			break;
		default:
			take_value(in, r, i);
		}
	}
}

static inline void take_record(struct input *in, struct record *r, const struct schema *schema,
			       struct arena *arena)
{
	EXPECT(record_init(r, schema, arena) == 0);
	take_values(in, r);
}
