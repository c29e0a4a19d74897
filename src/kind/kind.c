/* SPDX-License-Identifier: MIT */
#include "kind/kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void report_text(struct report *report, const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;

	va_start(ap, fmt);
	/* Without memory for the phrase the bare errno must do. */
	if (vasprintf(&p, fmt, ap) >= 0)
		report->text = arena_span(&report->arena, span_of(p));
	va_end(ap);
	free(p);
}

void report_free(struct report *report)
{
	arena_free(&report->arena);
	*report = (struct report){ 0 };
}

int matches_add(struct matches *m, size_t index)
{
	size_t *items;

	/* Doubles at each power of two. */
	if ((m->count & (m->count - 1)) == 0) {
		items = reallocarray(m->items, m->count ? m->count * 2 : 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		m->items = items;
	}
	m->items[m->count++] = index;
	return 0;
}

void matches_free(struct matches *m)
{
	free(m->items);
	*m = (struct matches){ 0 };
}
