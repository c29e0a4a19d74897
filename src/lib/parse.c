/* SPDX-License-Identifier: MIT */
#include "lib/parse.h"

#include <errno.h>

/* 16 if it is none. */
static unsigned digit_value(char c)
{
	unsigned d = (unsigned char)c - '0';

	if (d < 10)
		return d;
	d = ((unsigned char)c | 0x20) - 'a';
	return d < 6 ? d + 10 : 16;
}

/* Inlined, for a constant base: most of what the scan of a busy system computes itself is in here. */
static inline int parse_digits(struct span s, unsigned base, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned d = digit_value(s.ptr[i]);

		if (d >= base)
			return -EINVAL;
		if (v >= UINT64_MAX / base && (v > UINT64_MAX / base || d > UINT64_MAX % base)) {
			/* A word that is no number at all is EINVAL, however long. */
			for (; i < s.len; i++)
				if (digit_value(s.ptr[i]) >= base)
					return -EINVAL;
			return -ERANGE;
		}
		v = v * base + d;
	}
	*out = v;
	return 0;
}

int parse_hex(struct span s, uint64_t *out)
{
	return parse_digits(s, 16, out);
}

int parse_u64(struct span s, uint64_t *out)
{
	if (span_starts(s, "0x") || span_starts(s, "0X"))
		return parse_digits(span_from(s, 2), 16, out);
	return parse_digits(s, 10, out);
}

int parse_u64_in(struct span s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int r = parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_i64(struct span s, int64_t *out)
{
	bool negative = s.len > 0 && s.ptr[0] == '-';
	uint64_t v;
	int r = parse_u64(negative ? span_from(s, 1) : s, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

/* How many leading bytes of s are decimal digits. */
static size_t leading_digits(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

int parse_size(struct span s, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t n = leading_digits(s);
	struct span unit = span_from(s, n);
	unsigned shift = 0;
	uint64_t v;
	int r;

	if (span_starts(s, "0x") || span_starts(s, "0X"))
		return parse_u64(s, bytes);
	r = parse_digits((struct span){ s.ptr, n }, 10, &v);
	if (r < 0)
		return r;
	if (unit.len > 0) {
		char c = (char)(unit.ptr[0] >= 'a' ? unit.ptr[0] - 'a' + 'A' : unit.ptr[0]);
		const char *at = c ? strchr(units, c) : NULL;

		if (!at || (unit.len > 1 && !span_is(span_from(unit, 1), "iB")))
			return -EINVAL;
		shift = 10 * (unsigned)(at - units + 1);
	}
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = v << shift;
	return 0;
}

static uint64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * UINT64_C(86400);
	default:
		return 0;
	}
}

int parse_age(struct span s, uint64_t *seconds)
{
	uint64_t total = 0, v, unit;
	size_t n = leading_digits(s);
	int r;

	if (n > 0 && n == s.len)
		return parse_digits(s, 10, seconds);
	do {
		n = leading_digits(s);
		r = parse_digits((struct span){ s.ptr, n }, 10, &v);
		if (r < 0)
			return r;
		unit = n < s.len ? unit_seconds(s.ptr[n]) : 0;
		if (!unit)
			return -EINVAL;
		if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(total, v, &total))
			return -ERANGE;
		s = span_from(s, n + 1);
	} while (s.len > 0);
	*seconds = total;
	return 0;
}

/* Milliseconds of "", "ms", "s" and so on; 0: no unit. */
static uint64_t unit_milliseconds(struct span s)
{
	if (s.len == 0)
		return 1000;
	if (span_is(s, "ms"))
		return 1;
	return s.len == 1 ? unit_seconds(s.ptr[0]) * 1000 : 0;
}

int parse_milliseconds(struct span s, uint64_t *milliseconds)
{
	size_t n = leading_digits(s), places = 0;
	uint64_t v, unit, fraction = 0, scale = 1;
	int r;

	if (parse_age(s, &v) == 0) { /* 1h30m */
		if (__builtin_mul_overflow(v, 1000, &v))
			return -ERANGE;
		*milliseconds = v;
		return 0;
	}
	r = parse_digits((struct span){ s.ptr, n }, 10, &v);
	if (r < 0)
		return r;
	s = span_from(s, n);
	if (s.len > 0 && s.ptr[0] == '.') {
		s = span_from(s, 1);
		places = leading_digits(s);
		if (places == 0)
			return -EINVAL;
	}
	/* Of weeks, the longest unit, what the tenth digit says is less than a millisecond. */
	for (size_t i = 0; i < places && i < 9; i++) {
		fraction = fraction * 10 + (uint64_t)(s.ptr[i] - '0');
		scale *= 10;
	}
	unit = unit_milliseconds(span_from(s, places));
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(v, fraction * unit / scale, &v))
		return -ERANGE;
	*milliseconds = v;
	return 0;
}

int parse_mode(struct span s, unsigned max, unsigned *mode)
{
	uint64_t v;
	int r = parse_digits(s, 8, &v);

	if (r < 0)
		return r;
	if (v > max)
		return -ERANGE;
	*mode = (unsigned)v;
	return 0;
}

bool cut_hex(struct span *rest, char separator, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (unsigned d; n < rest->len && (d = digit_value(rest->ptr[n])) < 16; n++) {
		if (v >> 60)
			return false;
		v = v << 4 | d;
	}
	if (n == 0 || n == rest->len || rest->ptr[n] != separator)
		return false;
	*rest = span_from(*rest, n + 1);
	*out = v;
	return true;
}

bool next_line(struct span *rest, struct span *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	line->ptr = rest->ptr;
	line->len = end ? (size_t)(end - rest->ptr) : rest->len;
	*rest = span_from(*rest, end ? line->len + 1 : line->len);
	return true;
}

bool next_word(struct span *rest, struct span *word)
{
	const char *p = rest->ptr, *end = rest->ptr + rest->len;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	word->ptr = p;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	word->len = (size_t)(p - word->ptr);
	rest->ptr = p;
	rest->len = (size_t)(end - p);
	return word->len > 0;
}

int next_u64(struct span *rest, uint64_t *out)
{
	struct span word;

	return next_word(rest, &word) ? parse_digits(word, 10, out) : -ENOENT;
}
