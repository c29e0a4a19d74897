/* SPDX-License-Identifier: MIT */
/*
 * A judgement of our own, beside that of lib/escape.h, on what may reach a terminal, a document or a label:
 * valid UTF-8 (RFC 3629) without controls, bidirectional and invisible characters.
 */
#pragma once

#include "fuzz.h"

static inline bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe007f);
}

/* The character at s, which is not empty, and its length; 0: there is none. */
static inline size_t character_at(struct span s, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (n == 0 || n > s.len)
		return 0;
	*code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	return *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff) ? 0 : n;
}

/* Whether all of a text is fit to be shown; allowed: controls that may be in it, such as "\n". */
static inline bool is_shown(struct span s, const char *allowed)
{
	while (s.len > 0) {
		uint32_t code;
		size_t n = character_at(s, &code);

		if (n == 0 ||
		    (is_harmful(code) && (code >= 0x80 || code == 0 || !strchr(allowed, (int)code))))
			return false;
		s = span_from(s, n);
	}
	return true;
}

/* Takes the colours out of a text: sequences that begin with escape and a bracket, and end with m. */
static inline void strip_colors(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		size_t end = i + 2;

		if (s.ptr[i] == '\033' && i + 1 < s.len && s.ptr[i + 1] == '[') {
			while (end < s.len && s.ptr[end] >= '0' && s.ptr[end] <= '9')
				end++;
			if (end < s.len && s.ptr[end] == 'm') {
				i = end;
				continue;
			}
		}
		buf_putc(out, s.ptr[i]);
	}
}

static inline size_t count_bytes(struct span s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == c;
	return n;
}
