/* SPDX-License-Identifier: MIT */
/*
 * The one escaper. Bytes that users control are shown only through it: the
 * result is valid UTF-8 without C0, DEL, C1, line separators, bidirectional or
 * invisible format characters, and two different inputs never give the same
 * output. What stays legible stays as it is:
 *
 *   backslash          \\
 *   newline, tab, CR   \n \t \r
 *   any other byte     \xHH (each byte of an unsafe or invalid sequence)
 */
#pragma once

#include "lib/buf.h"

/* Appends s to b, escaped. */
void escape_into(struct buf *b, struct span s);
/* Whether escaping would change s (a cheap look for the common case). */
bool needs_escape(struct span s);
/* The inverse: appends the raw bytes of an escaped text; -EINVAL if the text
 * is none that escape_into() makes. */
int unescape_into(struct buf *b, struct span s) _must_check_;

/*
 * Decodes one UTF-8 character at s (len > 0). Returns its length in bytes and
 * sets *code, or 0 if the bytes there are not valid UTF-8 (overlong forms,
 * surrogates and values over U+10FFFF are not).
 */
size_t utf8_decode(struct span s, uint32_t *code);
/* How many columns of a terminal a valid UTF-8 text takes (wide characters two,
 * combining ones none). */
size_t display_width(struct span s);
/* How many leading bytes of s fit into `columns` columns; *width says how many
 * columns those take. */
size_t display_prefix(struct span s, size_t columns, size_t *width);
