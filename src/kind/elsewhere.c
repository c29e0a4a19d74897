/* SPDX-License-Identifier: MIT */
#include "kind/elsewhere.h"

#include <errno.h>

#include "model/packed.h"

/* Why a value is unknown is not packed with it. */
static void put_reasons(struct buf *b, const struct record *r, struct fieldset set)
{
	for (size_t f = 0; f < r->schema->nfields; f++)
		if (wants(set, f) && r->values[f].state == VALUE_UNKNOWN)
			buf_put(b, &r->values[f].error, sizeof(r->values[f].error));
}

static int pack_one(void *data, size_t index, const struct record *r)
{
	struct stretch *s = data;
	struct buf *b = s->data;
	uint64_t number = index;

	buf_put(b, &number, sizeof(number));
	pack_values(b, r, s->p->want);
	put_reasons(b, r, s->p->want);
	return b->failed ? -ENOMEM : 0;
}

/* In the child process: an error, and the records. */
static void answer_stretch(void *context, struct buf *answer)
{
	struct stretch *s = context;
	size_t start = answer->len;
	int e = 0;

	buf_put(answer, &e, sizeof(e));
	s->data = answer;
	e = stretch_each(
		&(struct stretch){ s->k, s->p, s->view, s->from, s->to, s->base, s->r, pack_one, s });
	if (!answer->failed)
		memcpy(answer->data + start, &e, sizeof(e));
}

static bool take_bytes(struct span *rest, void *to, size_t n)
{
	if (rest->len < n)
		return false;
	memcpy(to, rest->ptr, n);
	*rest = span_from(*rest, n);
	return true;
}

/* The next record of an answer. */
static int unpack_one(const struct stretch *s, struct span *rest, uint64_t *index)
{
	struct record *r = s->r;
	struct fieldset want = s->p->want;

	record_clear(r);
	arena_reset(r->arena);
	if (!take_bytes(rest, index, sizeof(*index)))
		return -EIO;
	for (size_t f = 0; f < r->schema->nfields; f++) {
		const struct field *field = &r->schema->fields[f];

		if (wants(want, f) && rest->len == 0)
			return -EIO;
		if (wants(want, f))
			r->values[f] = packed_value(packed_next(rest, field), field, r->arena);
		r->unknowns |= r->values[f].state == VALUE_UNKNOWN;
	}
	if (r->arena->failed)
		return -ENOMEM;
	for (size_t f = 0; f < r->schema->nfields; f++)
		if (wants(want, f) && r->values[f].state == VALUE_UNKNOWN &&
		    !take_bytes(rest, &r->values[f].error, sizeof(r->values[f].error)))
			return -EIO;
	return 0;
}

/* Records without what has to be asked there. */
struct partly {
	const struct stretch *stretch;
	struct fieldset asked; /* fields that are not known */
	int error;
};

static int visit_partly(void *data, size_t index, const struct record *r)
{
	const struct partly *partly = data;
	struct record *record = partly->stretch->r;

	for (size_t f = 0; f < r->schema->nfields; f++)
		if (wants(partly->asked, f))
			record_unknown(record, f, partly->error);
	return partly->stretch->visit(partly->stretch->data, index, record);
}

/* Projects here what the tables tell; all else is unknown for this reason. */
static int stretch_partly(const struct stretch *s, int error)
{
	struct partly partly = { .stretch = s, .error = error };
	const struct fieldset want = s->p->want;
	int e;

	for (size_t f = 0; f < s->r->schema->nfields; f++) {
		s->p->want = (struct fieldset){ (uint64_t)1 << f };
		if (wants(want, f) && s->k->enters(s->p, s->view))
			partly.asked.bits |= s->p->want.bits;
	}
	s->p->want = (struct fieldset){ want.bits & ~partly.asked.bits };
	e = stretch_each(&(struct stretch){ s->k, s->p, s->view, s->from, s->to, s->base, s->r, visit_partly,
					    &partly });
	s->p->want = want;
	return e;
}

int stretch_elsewhere(const struct stretch *s)
{
	_cleanup_(buf_free) struct buf answer = { 0 };
	struct stretch asked = *s;
	struct span rest;
	uint64_t index;
	int r = place_call(s->view->place, answer_stretch, &asked, &answer), e = 0;

	if (r < 0)
		return r == -ENOMEM ? r : stretch_partly(s, -r);
	rest = buf_span(&answer);
	if (!take_bytes(&rest, &r, sizeof(r)))
		return -EIO;
	while (e == 0 && rest.len > 0) {
		e = unpack_one(s, &rest, &index);
		if (e == 0)
			e = s->visit(s->data, (size_t)index, s->r);
	}
	return e < 0 ? e : r;
}

/* In the child process: what came of it, and what there is to say about it. */
static void answer_deed(void *context, struct buf *answer)
{
	const struct deed *d = context;
	int r = deed_do(d);

	buf_put(answer, &r, sizeof(r));
	buf_put_span(answer, d->report->text);
}

int deed_do_elsewhere(const struct deed *d)
{
	_cleanup_(buf_free) struct buf answer = { 0 };
	struct deed asked = *d;
	int r = place_call(d->view->place, answer_deed, &asked, &answer);
	struct span rest = buf_span(&answer);
	int done;

	if (r < 0)
		return r;
	if (!take_bytes(&rest, &done, sizeof(done)))
		return -EIO;
	if (rest.len > 0)
		report_text(d->report, "%.*s", (int)rest.len, rest.ptr);
	return done;
}

/* Something that is to be made. */
struct making {
	const struct kind *k;
	const struct create_args *args;
	struct report *report;
};

/* What there is to say about it, in the child's words. */
struct made {
	int result;
	bool existed, usage;
	size_t text; /* bytes of it; those of the reference follow */
};

static void answer_making(void *context, struct buf *answer)
{
	const struct making *m = context;
	struct made made = { .result = m->k->create(m->args, m->report) };

	made.existed = m->report->existed;
	made.usage = m->report->usage;
	made.text = m->report->text.len;
	buf_put(answer, &made, sizeof(made));
	buf_put_span(answer, m->report->text);
	buf_put_span(answer, m->report->ref);
}

int create_elsewhere(const struct kind *k, const struct snapshot *view, const struct create_args *args,
		     struct report *report)
{
	_cleanup_(buf_free) struct buf answer = { 0 };
	struct making making = { k, args, report };
	int r = place_call(view->place, answer_making, &making, &answer);
	struct span rest = buf_span(&answer);
	struct made made;

	if (r < 0)
		return r;
	if (!take_bytes(&rest, &made, sizeof(made)) || made.text > rest.len)
		return -EIO;
	report->existed = made.existed;
	report->usage = made.usage;
	if (made.text > 0)
		report_text(report, "%.*s", (int)made.text, rest.ptr);
	rest = span_from(rest, made.text);
	if (rest.len > 0 && report_ref(report, "%.*s", (int)rest.len, rest.ptr) < 0)
		return -ENOMEM;
	return made.result;
}

struct reading {
	const struct limit *limit;
	struct snapshot *view;
};

static void answer_limit(void *context, struct buf *answer)
{
	const struct reading *reading = context;
	struct limit_value v = { 0 };

	reading->limit->read(reading->view, &v);
	buf_put(answer, &v, sizeof(v)); /* numbers alone */
}

void limit_elsewhere(const struct limit *limit, struct snapshot *view, struct limit_value *out)
{
	_cleanup_(buf_free) struct buf answer = { 0 };
	struct reading reading = { limit, view };
	int r = place_call(view->place, answer_limit, &reading, &answer);
	struct span rest = buf_span(&answer);

	if (r < 0 || !take_bytes(&rest, out, sizeof(*out)))
		out->limit = out->used = (struct value){ .state = VALUE_UNKNOWN, .error = r < 0 ? -r : EIO };
}
