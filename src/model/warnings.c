/* SPDX-License-Identifier: MIT */
#include "model/warnings.h"

#include <errno.h>

#include "lib/escape.h"

static bool hides(int error)
{
	return error == EPERM || error == EACCES;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_cause(const struct warning *a, const struct warning *b)
{
	return a->error == b->error && same_text(a->field, b->field) && same_text(a->text, b->text) &&
	       strcmp(a->subject, b->subject) == 0;
}

void warnings_add(struct warnings *w, const struct warning *warning)
{
	struct warning *items;

	if (warning->error > 0)
		w->incomplete = true;
	if (warning->error > 0 && !hides(warning->error))
		w->failed = true;
	for (size_t i = 0; i < w->count; i++)
		if (same_cause(&w->items[i], warning)) {
			w->items[i].count += warning->count;
			return;
		}
	items = reallocarray(w->items, w->count + 1, sizeof(*items));
	if (!items) {
		w->failed = true;
		return;
	}
	w->items = items;
	items[w->count] = *warning;
	items[w->count].example = arena_span(&w->arena, warning->example);
	w->count++;
}

void warnings_tally(struct warnings *w, const struct record *r, struct fieldset set)
{
	int ref;

	if (!r->unknowns)
		return;
	ref = schema_find(r->schema, SPAN("ref"));
	for (size_t i = 0; i < r->schema->nfields; i++)
		if (wants(set, i) && r->values[i].state == VALUE_UNKNOWN)
			warnings_add(w, &(struct warning){
						.subject = r->schema->name,
						.field = r->schema->fields[i].name,
						.error = r->values[i].error,
						.count = 1,
						.example = ref < 0 ? (struct span){ 0 } : r->values[ref].str,
					});
}

void warnings_merge(struct warnings *w, const struct warnings *from)
{
	for (size_t i = 0; i < from->count; i++)
		warnings_add(w, &from->items[i]);
	w->incomplete |= from->incomplete;
	w->failed |= from->failed;
}

void warnings_free(struct warnings *w)
{
	free(w->items);
	arena_free(&w->arena);
	*w = (struct warnings){ 0 };
}

static const char *cause(int error)
{
	switch (error) {
	case WHY_NOT_ASKED:
		return "not read unless asked for";
	case WHY_NOT_ATTACHED:
		return "only a process that has it attached could tell";
	case WHY_NO_SEMAPHORE:
		return "there is no semaphore in it";
	default:
		return strerror(error);
	}
}

void warning_text(const struct warning *warning, struct buf *b)
{
	const char *why = warning->text;

	if (!why)
		why = cause(warning->error);
	buf_printf(b, "%s: ", warning->subject);
	if (warning->field && warning->count == 1 && warning->example.ptr) {
		buf_printf(b, "%s of ", warning->field);
		escape_into(b, warning->example);
		buf_puts(b, " is unknown: ");
	} else if (warning->field) {
		buf_printf(b, "%s of %llu objects is unknown: ", warning->field,
			   (unsigned long long)warning->count);
	}
	buf_puts(b, why);
}
