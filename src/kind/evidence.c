/* SPDX-License-Identifier: MIT */
#include "kind/evidence.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { EVIDENCE_SOURCE, EVIDENCE_FOUND, EVIDENCE_SHOWS };

static const char *const shows_values[] = {
	[SHOWS_NOTHING] = "nothing",
	[SHOWS_USE] = "use",
	[SHOWS_RETURN] = "return",
	[SHOWS_DISUSE] = "disuse",
	NULL,
};

static const struct field fields[] = {
	[EVIDENCE_SOURCE] = { .name = "source", .type = FIELD_STR, .help = "what was asked" },
	[EVIDENCE_FOUND] = { .name = "found", .type = FIELD_STR, .help = "what it told" },
	[EVIDENCE_SHOWS] = { .name = "shows",
			     .type = FIELD_STR,
			     .values = shows_values,
			     .help = "what that shows" },
};

const struct schema evidence_schema = { "evidence", fields, ARRAY_SIZE(fields) };

bool wants_evidence(const struct projector *p, size_t field)
{
	return field < NO_EVIDENCE && wants(p->want, field);
}

static int add(struct record *r, size_t field, const char *source, enum shows shows, struct span found)
{
	struct value *v = &r->values[field];
	struct list *list = v->state == VALUE_SET ? v->list : record_list(r, field);
	struct record row;

	found = arena_span(r->arena, found);
	if (!list || !found.ptr || list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_text(&row, EVIDENCE_SOURCE, source);
	record_str(&row, EVIDENCE_FOUND, found);
	record_text(&row, EVIDENCE_SHOWS, shows_values[shows]);
	return 0;
}

void record_evidence(struct projector *p, struct record *r, size_t field, const char *source,
		     enum shows shows, const char *found, ...)
{
	char *text = NULL;
	va_list ap;

	if (!wants_evidence(p, field) || r->values[field].state == VALUE_UNKNOWN)
		return;
	va_start(ap, found);
	if (vasprintf(&text, found, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text || add(r, field, source, shows, span_of(text)) < 0)
		record_unknown(r, field, ENOMEM);
	free(text);
}

void record_no_evidence(struct projector *p, struct record *r, size_t field, int error)
{
	if (wants_evidence(p, field))
		record_unknown(r, field, error);
}
