/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back all at once. Zero-initialise to make one. Nothing
 * in an arena is freed alone; arena_reset() keeps the memory for the next use.
 */
#pragma once

#include <stdarg.h>

#include "lib/base.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	struct arena_block *current;
	char *next;
	char *end;
	size_t total; /* bytes taken from the system */
	bool failed;  /* memory ran out for something: until arena_free() */
};

/* The slow half of arena_alloc(): n bytes from another block. */
void *arena_alloc_block(struct arena *a, size_t n);

/* n bytes aligned for any object and not cleared, or NULL (no memory). */
static inline void *arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	char *p = a->next;

	/* Even an empty piece has an address. */
	if (rounded < n || !p || rounded > (size_t)(a->end - a->next))
		return arena_alloc_block(a, n);
	a->next += rounded;
	return p;
}

/* The same, cleared; n * size may not overflow (NULL if it does). */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* A copy of s, with a zero byte behind it that its length does not count.
 * On lack of memory ptr is NULL. */
struct span arena_span(struct arena *a, struct span s);
/* A formatted string as a span; on lack of memory ptr is NULL. */
struct span arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
struct span arena_vprintf(struct arena *a, const char *fmt, va_list ap) _printf_(2, 0);
/* Forgets everything that was given out; the memory stays for reuse. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
