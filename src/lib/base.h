/* SPDX-License-Identifier: MIT */
/* The few macros that every file may use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_ __attribute__((unused))

/* A run of bytes that somebody else owns. Not terminated; may hold any byte. */
struct span {
	const char *ptr;
	size_t len;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_of(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_of(s));
}

static inline bool span_starts(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && memcmp(a.ptr, prefix, n) == 0;
}

/* The rest of a from byte n on; n is at most a.len. */
static inline struct span span_from(struct span a, size_t n)
{
	return (struct span){ a.ptr + n, a.len - n };
}

/* For _cleanup_: closes a descriptor, keeps errno, ignores negative ones. */
void close_fd(int *fd);
/* The descriptor, which is the caller's from now on: _cleanup_ has nothing left to close. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* What a clock shows. */
uint64_t nanoseconds(clockid_t clock);
/* For _cleanup_: frees what a pointer variable points to. */
void free_ptr(void *pointer_to_pointer);
