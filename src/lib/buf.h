/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer. Failure to grow is remembered in `failed` and makes
 * every later call a no-op, so that a caller checks once, at the end.
 */
#pragma once

#include "lib/base.h"

#include <stdarg.h>

struct buf {
	char *data; /* not terminated unless buf_cstr() was called */
	size_t len;
	size_t cap;
	bool failed; /* memory ran out: the contents are not whole */
};

void buf_free(struct buf *b);
/* Empties the buffer and keeps its memory. */
void buf_reset(struct buf *b);
/* Makes the room that buf_reserve() has not found. */
char *buf_grow(struct buf *b, size_t n);

/* Room for n more bytes, or NULL. The caller writes there and adds to len. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
	return b->data && !b->failed && n <= b->cap - b->len ? b->data + b->len : buf_grow(b, n);
}

static inline void buf_putc(struct buf *b, char c)
{
	char *p = buf_reserve(b, 1);

	if (p) {
		*p = c;
		b->len++;
	}
}

void buf_put(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_put_span(struct buf *b, struct span s);
/* n times the character c. */
void buf_fill(struct buf *b, char c, size_t n);
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
/* The contents as a terminated string owned by b, or NULL if it failed. */
const char *buf_cstr(struct buf *b);
/* The contents; valid until the buffer changes. */
struct span buf_span(const struct buf *b);

/* Decimal digits of v into out; returns how many (at most 20). */
size_t format_u64(char out[static 20], uint64_t v);
