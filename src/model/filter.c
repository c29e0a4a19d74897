/* SPDX-License-Identifier: MIT */
#include "model/filter.h"

#include <errno.h>
#include <regex.h>
#include <time.h>

#include "lib/escape.h"
#include "lib/parse.h"
#include "lib/suggest.h"
#include "model/format.h"

enum op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_RE, OP_NRE };

struct filter {
	enum op op;
	const struct schema *const *schemas;
	size_t nschemas;
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

static const char *expected_value(enum field_type type)
{
	switch (type) {
	case FIELD_BYTES:
		return "a size such as 4096, 64K or 2G";
	case FIELD_DURATION:
		return "an age such as 90, 10m, 2h or 1d";
	case FIELD_MODE:
		return "permission bits in octal";
	case FIELD_TIME:
		return "seconds since the epoch, YYYY-MM-DD[THH:MM[:SS]] or -2h (ago)";
	case FIELD_BOOL:
		return "yes or no";
	case FIELD_KEY:
		return "a key such as 0x162e";
	case FIELD_PERCENT:
		return "a percentage such as 90 or 99.5";
	case FIELD_STR:
		return "one of the words that this field can have";
	case FIELD_LIST:
		return "comparable: a list can only be matched with ~";
	default:
		return "a whole number";
	}
}

static const char *suggest_value(const struct field *field, struct span word)
{
	struct suggest s = { 0 };
	char text[32];

	if (word.len >= sizeof(text))
		return NULL;
	memcpy(text, word.ptr, word.len);
	text[word.len] = '\0';
	for (const char *const *v = field->values; v && *v; v++)
		suggest_offer(&s, text, *v);
	return s.best;
}

static int parse_time(struct span s, int64_t *out)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S" };
	char text[32];
	uint64_t ago;

	if (parse_i64(s, out) == 0)
		return 0;
	/* "-2h": two hours ago. */
	if (span_starts(s, "-") && parse_age(span_from(s, 1), &ago) == 0) {
		*out = (int64_t)time(NULL) - (int64_t)(ago < INT64_MAX / 2 ? ago : INT64_MAX / 2);
		return 0;
	}
	if (s.len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);

		if (end && *end == '\0') {
			*out = mktime(&tm);
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_percent(struct span s, uint64_t *out)
{
	const char *dot = memchr(s.ptr, '.', s.len);
	struct span whole = { s.ptr, dot ? (size_t)(dot - s.ptr) : s.len };
	uint64_t v, hundredths = 0;
	int r = parse_u64_in(whole, 0, UINT64_MAX / 1000, &v);

	if (r == 0 && dot) {
		struct span tail = span_from(s, whole.len + 1);

		r = tail.len <= 2 ? parse_u64(tail, &hundredths) : -EINVAL;
		if (tail.len == 1)
			hundredths *= 10;
	}
	if (r == 0)
		*out = v * 100 + hundredths;
	return r;
}

/* A field with a fixed set of words takes no other. */
static bool is_value(const struct field *field, struct span s)
{
	for (const char *const *v = field->values; v && *v; v++)
		if (span_is(s, *v))
			return true;
	return !field->values;
}

static int parse_string(struct filter *f, struct span s, struct value *v)
{
	_cleanup_(buf_free) struct buf raw = { 0 };
	int r = unescape_into(&raw, s);

	if (!is_value(f->field, s))
		return -EINVAL;
	if (r == -EINVAL)
		v->str = arena_span(&f->arena, s);
	else if (r == 0)
		v->str = arena_span(&f->arena, buf_span(&raw));
	return v->str.ptr ? 0 : -ENOMEM;
}

static int parse_value(struct filter *f, struct span s, struct value *v)
{
	unsigned mode = 0;
	int r;

	*v = (struct value){ .state = VALUE_SET };
	if (span_is(s, "-") || span_is(s, "?")) {
		v->state = s.ptr[0] == '-' ? VALUE_ABSENT : VALUE_UNKNOWN;
		return 0;
	}
	switch (f->field->type) {
	case FIELD_BYTES:
		return parse_size(s, &v->u64);
	case FIELD_DURATION:
		return parse_age(s, &v->u64);
	case FIELD_MODE:
		r = parse_mode(s, 07777, &mode);
		v->u64 = mode;
		return r;
	case FIELD_PERCENT:
		return parse_percent(s, &v->u64);
	case FIELD_TIME:
		return parse_time(s, &v->i64);
	case FIELD_I64:
		return parse_i64(s, &v->i64);
	case FIELD_BOOL:
		v->flag = span_is(s, "yes") || span_is(s, "true");
		return v->flag || span_is(s, "no") || span_is(s, "false") ? 0 : -EINVAL;
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		return parse_string(f, s, v);
	case FIELD_LIST:
		return -EINVAL;
	default:
		return parse_u64(s, &v->u64);
	}
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
		int r = parse_value(f, word, &f->values[f->nvalues++]);

		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			*error = (struct field_error){ .word = word,
						       .expected = expected_value(f->field->type),
						       .suggestion = suggest_value(f->field, word) };
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

		if (at >= 0)
			set.bits |= (uint64_t)1 << at;
	}
	return set;
}

static enum match match_regex(const struct filter *f, const struct value *v)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	const char *s;

	if (v->state != VALUE_SET)
		return v->state == VALUE_UNKNOWN ? MATCH_UNKNOWN : MATCH_NO;
	/* On the text that machines are given, so that what one sees in --raw is
	 * what one matches; never on bytes that regexec() would misread. */
	format_value(&text, f->field, v, FORMAT_MACHINE);
	s = buf_cstr(&text);
	if (!s)
		return MATCH_UNKNOWN;
	return (regexec(&f->regex, s, 0, NULL, 0) == 0) == (f->op == OP_RE) ? MATCH_YES : MATCH_NO;
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
		enum match m = match_one(&f->items[i], at < 0 ? &absent : &r->values[at]);

		if (m == MATCH_NO)
			return MATCH_NO;
		if (m == MATCH_UNKNOWN)
			result = MATCH_UNKNOWN;
	}
	return result;
}
