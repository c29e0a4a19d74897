/* SPDX-License-Identifier: MIT */
/*
 * What every fuzz target includes. Adding a target:
 *  1. Write tests/fuzz/NAME.c with an LLVMFuzzerTestOneInput(): it takes what it needs from the input, hands
 *     that to the code, and says with EXPECT() what must hold whatever the input is.
 *  2. Add what it should begin with to tests/fuzz/seeds: mostly a line there.
 * The Makefile finds it by itself. What a parser takes apart on its own is the best to begin with: a function
 * of a span. Where there is none, tree.h shows it a /proc of our own.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run, with the input as a reproducer, where a promise is broken. */
#define EXPECT(condition)                                                                                    \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);             \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

/* What is left of the input. Where it ends, all that is taken is zero or empty. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline bool take_bool(struct input *in)
{
	return take_byte(in) & 1;
}

/* A number below n, which is at most 256. */
static inline size_t take_below(struct input *in, size_t n)
{
	return take_byte(in) % n;
}

/* A number of any size: the first byte says of how many bytes. */
static inline uint64_t take_number(struct input *in)
{
	uint64_t v = 0;

	for (size_t n = take_below(in, 9); n > 0; n--)
		v = v << 8 | take_byte(in);
	return v;
}

/* All of the rest. Its end is that of the memory, so that a parser which reads on is caught. */
static inline struct span take_rest(struct input *in)
{
	struct span rest = { (const char *)in->at, in->left };

	in->at += in->left;
	in->left = 0;
	return rest;
}

/* A length in a byte, and so many bytes. */
static inline struct span take_text(struct input *in)
{
	size_t n = take_byte(in);
	struct span text = { (const char *)in->at, n < in->left ? n : in->left };

	in->at += text.len;
	in->left -= text.len;
	return text;
}

/* A copy in memory of exactly its size, with a zero byte behind it or not. Free with free(). */
static inline char *copy_bytes(struct span s, bool terminated)
{
	size_t size = s.len + terminated;
	char *copy = malloc(size ? size : 1);

	EXPECT(copy);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	if (terminated)
		copy[s.len] = '\0';
	return copy;
}

/* The same as a string, as a command line has it: up to the first zero byte. */
static inline char *copy_string(struct span s)
{
	s.len = strnlen(s.len ? s.ptr : "", s.len);
	return copy_bytes(s, true);
}

/* Whether part lies within whole, wherever that is if it is empty. */
static inline bool is_within(struct span part, struct span whole)
{
	return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}
