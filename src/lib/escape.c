/* SPDX-License-Identifier: MIT */
#include "lib/escape.h"

#include <errno.h>

#include "lib/parse.h"

size_t utf8_decode(struct span s, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;
	uint32_t c;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
		c = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		c = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		c = p[0] & 0x07;
	} else {
		return 0;
	}
	if (s.len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/*
 * Beyond ASCII: C1, then what Unicode calls format (Cf), line and paragraph
 * separators, variation selectors, tags, private use and noncharacters: all
 * that can reorder, hide or imitate text.
 */
static bool is_unsafe(uint32_t c)
{
	static const struct range unsafe[] = {
		{ 0x80, 0x9f },	       { 0xad, 0xad },	     { 0x34f, 0x34f },	   { 0x600, 0x605 },
		{ 0x61c, 0x61c },      { 0x6dd, 0x6dd },     { 0x70f, 0x70f },	   { 0x890, 0x891 },
		{ 0x8e2, 0x8e2 },      { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
		{ 0x200b, 0x200f },    { 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
		{ 0xe000, 0xf8ff },    { 0xfdd0, 0xfdef },   { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0x2800, 0x2800 },    { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },   { 0x110bd, 0x110bd },
		{ 0x110cd, 0x110cd },  { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0x10ffff },
	};

	return in_ranges(c, unsafe, ARRAY_SIZE(unsafe)) || (c & 0xfffe) == 0xfffe;
}

/* Eight bytes at a time: whether none of them is a control, a backslash, DEL or
 * beyond ASCII (the usual test for a byte below n or equal to one, in parallel). */
static bool plain_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = ones << 7;
	uint64_t backslash = w ^ (ones * '\\'), del = w ^ (ones * 0x7f);

	return ((w | (w - ones * 0x20) | (backslash - ones) | (del - ones)) & high) == 0;
}

/* How many leading bytes of s may stand as they are. */
static size_t safe_prefix(struct span s)
{
	size_t i = 0;

	while (i < s.len) {
		unsigned char c = (unsigned char)s.ptr[i];
		uint32_t code;
		uint64_t word;
		size_t n = 1;

		if (s.len >= sizeof(word)) {
			/* The last word may overlap the one before. */
			size_t last = s.len - sizeof(word), at = i < last ? i : last;

			memcpy(&word, s.ptr + at, sizeof(word));
			if (plain_word(word)) {
				i = at + sizeof(word);
				continue;
			}
		}
		if (c < 0x20 || c == 0x7f || c == '\\')
			break;
		if (c >= 0x80) {
			n = utf8_decode(span_from(s, i), &code);
			if (n == 0 || is_unsafe(code))
				break;
		}
		i += n;
	}
	return i;
}

bool needs_escape(struct span s)
{
	return safe_prefix(s) != s.len;
}

static void put_hex_byte(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char text[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

	buf_put(b, text, sizeof(text));
}

void escape_into(struct buf *b, struct span s)
{
	while (s.len > 0) {
		size_t n = safe_prefix(s);
		uint32_t code;

		buf_put(b, s.ptr, n);
		s = span_from(s, n);
		if (s.len == 0)
			return;
		switch (s.ptr[0]) {
		case '\\':
			buf_puts(b, "\\\\");
			n = 1;
			break;
		case '\n':
			buf_puts(b, "\\n");
			n = 1;
			break;
		case '\t':
			buf_puts(b, "\\t");
			n = 1;
			break;
		case '\r':
			buf_puts(b, "\\r");
			n = 1;
			break;
		default:
			n = utf8_decode(s, &code);
			if (n == 0)
				n = 1;
			for (size_t i = 0; i < n; i++)
				put_hex_byte(b, (unsigned char)s.ptr[i]);
		}
		s = span_from(s, n);
	}
}

/* One escape sequence at s (which starts with a backslash) into *byte; returns
 * its length, 0 if it is none. */
static size_t unescape_one(struct span s, char *byte)
{
	uint64_t v;

	if (s.len < 2)
		return 0;
	switch (s.ptr[1]) {
	case '\\':
		*byte = '\\';
		return 2;
	case 'n':
		*byte = '\n';
		return 2;
	case 't':
		*byte = '\t';
		return 2;
	case 'r':
		*byte = '\r';
		return 2;
	case 'x':
		if (s.len < 4 || parse_hex((struct span){ s.ptr + 2, 2 }, &v) < 0)
			return 0;
		*byte = (char)v;
		return 4;
	default:
		return 0;
	}
}

int unescape_into(struct buf *b, struct span s)
{
	while (s.len > 0) {
		const char *at = memchr(s.ptr, '\\', s.len);
		size_t n = at ? (size_t)(at - s.ptr) : s.len;
		char byte;

		buf_put(b, s.ptr, n);
		s = span_from(s, n);
		if (s.len == 0)
			break;
		n = unescape_one(s, &byte);
		if (n == 0)
			return -EINVAL;
		buf_putc(b, byte);
		s = span_from(s, n);
	}
	return b->failed ? -ENOMEM : 0;
}

/* wcwidth(3) knows too little in the C locale, and the locale must not change
 * what we print: so the two facts that matter stand here (Unicode 15, East
 * Asian Width W and F; general category Mn and Me, the common blocks). */
static size_t char_width(uint32_t c)
{
	static const struct range wide[] = {
		{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },	  { 0x23e9, 0x23ec },
		{ 0x25fd, 0x25fe },   { 0x2614, 0x2615 },   { 0x2648, 0x2653 },	  { 0x26a1, 0x26a1 },
		{ 0x26bd, 0x26be },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },	  { 0x2728, 0x2728 },
		{ 0x274c, 0x274c },   { 0x2753, 0x2757 },   { 0x2795, 0x2797 },	  { 0x2b1b, 0x2b1c },
		{ 0x2b50, 0x2b55 },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },	  { 0x3400, 0x4dbf },
		{ 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },   { 0xa960, 0xa97f },	  { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },	  { 0xffe0, 0xffe6 },
		{ 0x16fe0, 0x1b2ff }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f18e },
		{ 0x1f191, 0x1f19a }, { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f64f }, { 0x1f680, 0x1f6ff },
		{ 0x1f7e0, 0x1f7eb }, { 0x1f900, 0x1f9ff }, { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd },
	};
	static const struct range combining[] = {
		{ 0x300, 0x36f },   { 0x483, 0x489 },	{ 0x591, 0x5bd },   { 0x5bf, 0x5bf },
		{ 0x5c1, 0x5c5 },   { 0x610, 0x61a },	{ 0x64b, 0x65f },   { 0x670, 0x670 },
		{ 0x6d6, 0x6dc },   { 0x6df, 0x6e4 },	{ 0x6e7, 0x6ed },   { 0x730, 0x74a },
		{ 0x900, 0x902 },   { 0x93a, 0x93a },	{ 0x93c, 0x93c },   { 0x941, 0x948 },
		{ 0x94d, 0x94d },   { 0xe31, 0xe31 },	{ 0xe34, 0xe3a },   { 0xe47, 0xe4e },
		{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20f0 }, { 0x302a, 0x302d },
		{ 0x3099, 0x309a }, { 0xfe20, 0xfe2f },
	};

	if (c < 0x300)
		return 1;
	if (in_ranges(c, combining, ARRAY_SIZE(combining)))
		return 0;
	return in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

size_t display_prefix(struct span s, size_t columns, size_t *width)
{
	size_t i = 0, used = 0;

	while (i < s.len) {
		uint32_t code = '?';
		size_t n = utf8_decode(span_from(s, i), &code);
		size_t w = char_width(code);

		if (used + w > columns)
			break;
		used += w;
		i += n ? n : 1;
	}
	*width = used;
	return i;
}

size_t display_width(struct span s)
{
	size_t width;

	display_prefix(s, SIZE_MAX, &width);
	return width;
}
