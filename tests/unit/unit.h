/* SPDX-License-Identifier: MIT */
/* What every unit test includes. cmocka.h wants these headers before it. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"

/*
 * Bytes in a block of exactly their size, so that valgrind and the address
 * sanitizer see a parser that reads one byte too many. Free with free().
 */
static inline struct span exact(struct span s)
{
	char *copy = malloc(s.len ? s.len : 1);

	assert_non_null(copy);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return (struct span){ copy, s.len };
}

static inline void assert_span(struct span got, struct span expected)
{
	if (!span_eq(got, expected))
		fail_msg("got \"%.*s\", expected \"%.*s\"", (int)got.len, got.ptr, (int)expected.len,
			 expected.ptr);
}

static inline void assert_buf(const struct buf *b, const char *expected)
{
	assert_false(b->failed);
	assert_span(buf_span(b), span_of(expected));
}

/* A reproducible stream of numbers (xorshift64*). */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}
