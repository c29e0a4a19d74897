/* SPDX-License-Identifier: MIT */
#include "lib/arena.h"

#include <stdarg.h>
#include <stdio.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(max_align_t) char data[];
};

#define FIRST_BLOCK ((size_t)16 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)

static void use_block(struct arena *a, struct arena_block *block)
{
	a->current = block;
	a->next = block->data;
	a->end = block->data + block->size;
}

/* Moves to a block with at least n bytes: one kept by a reset, or a new one. */
static bool next_block(struct arena *a, size_t n)
{
	struct arena_block *block = a->current ? a->current->next : a->head;
	size_t size;

	if (block && block->size >= n) {
		use_block(a, block);
		return true;
	}
	size = a->current ? a->current->size * 2 : FIRST_BLOCK;
	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	if (size < n)
		size = n;
	block = malloc(sizeof(*block) + size);
	if (!block)
		return false;
	block->size = size;
	if (a->current) {
		block->next = a->current->next;
		a->current->next = block;
	} else {
		block->next = a->head;
		a->head = block;
	}
	a->total += size;
	use_block(a, block);
	return true;
}

void *arena_alloc_block(struct arena *a, size_t n)
{
	const size_t most = PTRDIFF_MAX - sizeof(max_align_t) - sizeof(struct arena_block);
	char *p;

	if (n <= most)
		n = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (n > most || !next_block(a, n)) {
		a->failed = true;
		return NULL;
	}
	p = a->next;
	a->next += n;
	return p;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size)
		return NULL;
	p = arena_alloc(a, n * size);
	if (p)
		memset(p, 0, n * size);
	return p;
}

struct span arena_span(struct arena *a, struct span s)
{
	char *p = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;

	if (!p)
		return (struct span){ 0 };
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return (struct span){ p, s.len };
}

struct span arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct span){ p, p ? (size_t)n : 0 };
}

struct span arena_printf(struct arena *a, const char *fmt, ...)
{
	struct span text;
	va_list ap;

	va_start(ap, fmt);
	text = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return text;
}

void arena_reset(struct arena *a)
{
	a->current = NULL;
	a->next = NULL;
	a->end = NULL;
	if (a->head)
		use_block(a, a->head);
}

void arena_free(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->head; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){ 0 };
}
