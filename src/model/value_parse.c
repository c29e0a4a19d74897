/* SPDX-License-Identifier: MIT */
#include "model/value_parse.h"

#include <errno.h>
#include <time.h>

#include "lib/escape.h"
#include "lib/parse.h"

const char *value_expected(enum field_type type)
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

static int parse_string(struct span s, struct arena *arena, struct value *v)
{
	_cleanup_(buf_free) struct buf raw = { 0 };
	int r;

	/* An empty one, as format_str() shows it. */
	if (span_is(s, "\\0"))
		s.len = 0;
	r = unescape_into(&raw, s);
	if (r == -EINVAL)
		v->str = arena_span(arena, s);
	else if (r == 0)
		v->str = arena_span(arena, buf_span(&raw));
	return v->str.ptr ? 0 : -ENOMEM;
}

int value_parse(struct span s, enum field_type type, struct arena *arena, struct value *v)
{
	unsigned mode = 0;
	int r;

	*v = (struct value){ .state = VALUE_SET };
	if (span_is(s, "-") || span_is(s, "?")) {
		v->state = s.ptr[0] == '-' ? VALUE_ABSENT : VALUE_UNKNOWN;
		return 0;
	}
	switch (type) {
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
		return parse_string(s, arena, v);
	case FIELD_LIST:
		return -EINVAL;
	default:
		return parse_u64(s, &v->u64);
	}
}
