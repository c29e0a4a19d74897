/* SPDX-License-Identifier: MIT */
/*
 * Words into numbers. Every parser takes the whole word: an empty word, white
 * space, a sign where none belongs, trailing bytes or "0x" alone is -EINVAL; a
 * value that does not fit is -ERANGE. On failure *out is untouched.
 */
#pragma once

#include "lib/base.h"

/* Decimal, or with "0x" hexadecimal. No sign. */
int parse_u64(struct span s, uint64_t *out) _must_check_;
/* The same with an optional leading minus. */
int parse_i64(struct span s, int64_t *out) _must_check_;
/* A u64 that must lie in [min, max]. */
int parse_u64_in(struct span s, uint64_t min, uint64_t max, uint64_t *out) _must_check_;
/* Bytes: a number, then optionally K M G T (times 1024), "iB" allowed. */
int parse_size(struct span s, uint64_t *bytes) _must_check_;
/* Seconds: a number, then optionally s m h d w; several may follow each other: 1h30m. */
int parse_age(struct span s, uint64_t *seconds) _must_check_;
/* Milliseconds of a span of time in seconds, or with ms s m h d w; a fraction may follow: 0.2, 200ms, 1.5h.
 * What is less than a millisecond is dropped. */
int parse_milliseconds(struct span s, uint64_t *milliseconds) _must_check_;
/* Permission bits in octal, at most max (such as 0777). */
int parse_mode(struct span s, unsigned max, unsigned *mode) _must_check_;
/* Hexadecimal digits without "0x". */
int parse_hex(struct span s, uint64_t *out) _must_check_;

/*
 * Cursor over lines and white-space separated columns, for the kernel's text
 * files. All take (pointer, length): nothing needs to be terminated.
 */

/* Cuts the next line (without newline) off *rest. False at the end. */
bool next_line(struct span *rest, struct span *line);
/* Cuts the next word (blank and tab separate) off *rest. False at the end. */
bool next_word(struct span *rest, struct span *word);
/* Cuts hexadecimal digits and the separator after them off *rest; false if that is not how it begins: it
 * stays. */
bool cut_hex(struct span *rest, char separator, uint64_t *out) _must_check_;
/* The next word of *rest as a number; -ENOENT if there is none. */
int next_u64(struct span *rest, uint64_t *out) _must_check_;
