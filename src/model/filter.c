/* SPDX-License-Identifier: MIT */
#include "model/filter.h"

#include <errno.h>
#include <regex.h>

#include "lib/suggest.h"
#include "model/format.h"
#include "model/value_parse.h"

enum op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_RE, OP_NRE };

struct filter {
	enum op op;
	const struct schema *const *schemas;
	size_t nschemas;
	bool alone;		   /* records of other schemas pass */
	const struct field *field; /* its name and type; schemas may place it differently */
	struct value *values;	   /* alternatives, in the arena */
	size_t nvalues;
	regex_t regex;
	bool regex_set;
	struct arena arena;
};

/* Longer spellings first, so that "<=" is not read as "<" and a value "=". */
static const struct {
	const char *text;
	enum op op;
} ops[] = {
	{ "!=", OP_NE }, { "<=", OP_LE }, { ">=", OP_GE }, { "!~", OP_NRE },
	{ "=", OP_EQ },	 { "<", OP_LT },  { ">", OP_GT },  { "~", OP_RE },
};

/* The field of this name in a schema, or NULL. */
static const struct field *field_in(const struct filter *f, size_t schema)
{
	int at = schema_find(f->schemas[schema], span_of(f->field->name));

	return at < 0 ? NULL : &f->schemas[schema]->fields[at];
}

static const char *suggest_value(const struct filter *f, struct span word)
{
	struct suggest s = { 0 };
	char text[32];

	if (word.len >= sizeof(text))
		return NULL;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	for (size_t i = 0; i < f->nschemas; i++) {
		const struct field *field = field_in(f, i);

		for (const char *const *v = field ? field->values : NULL; v && *v; v++)
			suggest_offer(&s, text, *v);
	}
	return s.best;
}

/* A field with a fixed set of words takes no other; of several schemas, those of any. */
static bool is_value(const struct filter *f, struct span s)
{
	for (size_t i = 0; i < f->nschemas; i++) {
		const struct field *field = field_in(f, i);

		if (field && !field->values)
			return true;
		for (const char *const *v = field ? field->values : NULL; v && *v; v++)
			if (span_is(s, *v))
				return true;
	}
	return false;
}

static int choose_value(struct filter *f, struct span s, struct value *v)
{
	int r = value_parse(s, f->field->type, &f->arena, v);

	if (r == 0 && v->state == VALUE_SET && f->field->type == FIELD_STR && !is_value(f, s))
		return -EINVAL;
	return r;
}

static int parse_alternatives(struct filter *f, struct span s, struct field_error *error)
{
	bool several = f->op == OP_EQ || f->op == OP_NE;
	size_t n = 1;

	for (size_t i = 0; several && i < s.len; i++)
		n += s.ptr[i] == ',';
	f->values = arena_calloc(&f->arena, n, sizeof(*f->values));
	if (!f->values)
		return -ENOMEM;
	while (f->nvalues < n) {
		const char *comma = several ? memchr(s.ptr, ',', s.len) : NULL;
		struct span word = { s.ptr, comma ? (size_t)(comma - s.ptr) : s.len };
		int r = choose_value(f, word, &f->values[f->nvalues++]);

		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			*error = (struct field_error){ .word = word,
						       .expected = value_expected(f->field->type),
						       .words = f->field->values,
						       .suggestion = suggest_value(f, word) };
			return -EINVAL;
		}
		if (comma)
			s = span_from(s, word.len + 1);
	}
	return 0;
}

static int compile_regex(struct filter *f, struct span s, struct field_error *error)
{
	struct span copy = arena_span(&f->arena, s);

	if (!copy.ptr)
		return -ENOMEM;
	if (regcomp(&f->regex, copy.ptr, REG_EXTENDED | REG_NOSUB) != 0) {
		*error = (struct field_error){ .word = s, .expected = "an extended regular expression" };
		return -EINVAL;
	}
	f->regex_set = true;
	return 0;
}

static bool split(const char *text, struct span *name, enum op *op, struct span *value)
{
	size_t n = strcspn(text, "=<>~!");

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (n > 0 && strncmp(text + n, ops[i].text, strlen(ops[i].text)) == 0) {
			*name = (struct span){ text, n };
			*op = ops[i].op;
			*value = span_of(text + n + strlen(ops[i].text));
			return true;
		}
	return false;
}

static int filter_init(struct filter *f, const char *text, struct field_error *error)
{
	struct span name, value;
	int i = -1;

	if (!split(text, &name, &f->op, &value)) {
		*error = (struct field_error){ .word = span_of(text),
					       .expected = "FIELD OP VALUE, OP one of = != < <= > >= ~ !~" };
		return -EINVAL;
	}
	for (size_t s = 0; s < f->nschemas && i < 0; s++) {
		i = schema_find(f->schemas[s], name);
		if (i >= 0)
			f->field = &f->schemas[s]->fields[i];
	}
	if (i < 0) {
		*error = (struct field_error){ .word = name,
					       .suggestion = suggest_field(f->schemas, f->nschemas, name) };
		return -EINVAL;
	}
	if (f->op == OP_RE || f->op == OP_NRE)
		return compile_regex(f, value, error);
	return parse_alternatives(f, value, error);
}

static void filter_free(struct filter *f)
{
	if (f->regex_set)
		regfree(&f->regex);
	arena_free(&f->arena);
}

int filters_add(struct filters *f, const char *text, const struct schema *const *schemas, size_t nschemas,
		struct field_error *error)
{
	struct filter *items = reallocarray(f->items, f->count + 1, sizeof(*items));
	int r;

	if (!items)
		return -ENOMEM;
	f->items = items;
	items[f->count] = (struct filter){ .schemas = schemas, .nschemas = nschemas };
	r = filter_init(&items[f->count], text, error);
	if (r < 0)
		filter_free(&items[f->count]);
	else
		f->count++;
	return r;
}

int filters_add_for(struct filters *f, const char *text, const struct schema *const *schema,
		    struct field_error *error)
{
	int r = filters_add(f, text, schema, 1, error);

	if (r == 0)
		f->items[f->count - 1].alone = true;
	return r;
}

static bool concerns(const struct filter *f, const struct schema *schema)
{
	return !f->alone || f->schemas[0] == schema;
}

void filters_free(struct filters *f)
{
	for (size_t i = 0; i < f->count; i++)
		filter_free(&f->items[i]);
	free(f->items);
	*f = (struct filters){ 0 };
}

struct fieldset filters_fields(const struct filters *f, const struct schema *schema)
{
	struct fieldset set = { 0 };

	for (size_t i = 0; i < f->count; i++) {
		int at = schema_find(schema, span_of(f->items[i].field->name));

		if (at >= 0 && concerns(&f->items[i], schema))
			set.bits |= (uint64_t)1 << at;
	}
	return set;
}

static enum match match_regex(const struct filter *f, const struct value *v)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	const char *s;
	int r;

	if (v->state != VALUE_SET)
		return v->state == VALUE_UNKNOWN ? MATCH_UNKNOWN : MATCH_NO;
	/* On the text that machines are given, so that what one sees in --raw is
	 * what one matches; never on bytes that regexec() would misread. */
	format_value(&text, f->field, v, FORMAT_MACHINE);
	s = buf_cstr(&text);
	if (!s)
		return MATCH_UNKNOWN;
	r = regexec(&f->regex, s, 0, NULL, 0);
	if (r != 0 && r != REG_NOMATCH)
		return MATCH_UNKNOWN;
	return (r == 0) == (f->op == OP_RE) ? MATCH_YES : MATCH_NO;
}

static bool holds(enum op op, int order)
{
	switch (op) {
	case OP_LT:
		return order < 0;
	case OP_LE:
		return order <= 0;
	case OP_GT:
		return order > 0;
	case OP_GE:
		return order >= 0;
	default:
		return order == 0;
	}
}

/* Asked for with "-" or "?", the state itself is compared. */
static bool asks_for_state(const struct filter *f)
{
	for (size_t i = 0; i < f->nvalues; i++)
		if (f->values[i].state != VALUE_SET)
			return true;
	return false;
}

static enum match match_one(const struct filter *f, const struct value *v)
{
	bool any = false;

	if (f->regex_set)
		return match_regex(f, v);
	if (v->state != VALUE_SET && !asks_for_state(f))
		return v->state == VALUE_UNKNOWN ? MATCH_UNKNOWN : MATCH_NO;
	for (size_t i = 0; i < f->nvalues && !any; i++)
		any = f->values[i].state == v->state &&
		      (v->state != VALUE_SET || holds(f->op, value_compare(f->field, v, &f->values[i])));
	return any == (f->op != OP_NE) ? MATCH_YES : MATCH_NO;
}

enum match filters_match(const struct filters *f, const struct record *r)
{
	static const struct value absent = { .state = VALUE_ABSENT };
	enum match result = MATCH_YES;

	for (size_t i = 0; i < f->count; i++) {
		int at = schema_find(r->schema, span_of(f->items[i].field->name));
		enum match m = concerns(&f->items[i], r->schema) ?
				       match_one(&f->items[i], at < 0 ? &absent : &r->values[at]) :
				       MATCH_YES;

		if (m == MATCH_NO)
			return MATCH_NO;
		if (m == MATCH_UNKNOWN)
			result = MATCH_UNKNOWN;
	}
	return result;
}
