/* SPDX-License-Identifier: MIT */
#include "kind/kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/vec.h"

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
	if (vec_reserve(&m->items, m->count, sizeof(*m->items)) < 0)
		return -ENOMEM;
	m->items[m->count++] = index;
	return 0;
}

int matches_found(struct matches *m, int64_t found)
{
	if (found >= 0)
		return matches_add(m, (size_t)found);
	return found == -ENOENT ? 0 : (int)found;
}

void matches_free(struct matches *m)
{
	free(m->items);
	*m = (struct matches){ 0 };
}
