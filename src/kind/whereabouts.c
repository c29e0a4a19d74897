/* SPDX-License-Identifier: MIT */
#include "kind/whereabouts.h"

#include <errno.h>

/* A reference of another place: "KIND:NUMBER/OBJECT". */
static int place_ref(struct record *r, size_t field, const char *kind, uint64_t ino)
{
	struct value *v = &r->values[field];
	size_t n = strlen(kind);
	struct span rest;

	if (v->state != VALUE_SET || v->str.len <= n || !span_starts(v->str, kind) || v->str.ptr[n] != ':')
		return 0;
	rest = span_from(v->str, n + 1);
	if (rest.len > 0 && rest.ptr[0] == '/')
		rest = span_from(rest, 1);
	v->str = arena_printf(r->arena, "%s:%llu/%.*s", kind, (unsigned long long)ino, (int)rest.len,
			      rest.ptr);
	return v->str.ptr ? 0 : -ENOMEM;
}

static int place_refs(const struct kind *k, struct record *r, uint64_t ino)
{
	int e = 0;

	for (size_t f = 0; e == 0 && f < r->schema->nfields; f++)
		if (r->schema->fields[f].type == FIELD_REF)
			e = place_ref(r, f, k->name, ino);
	return e;
}

/* Somebody who holds the object, or 0. */
static uint32_t first_holder(const struct kind *k, const struct snapshot *view, size_t index)
{
	const struct holding *held = k->held ? k->held(view, index) : NULL;

	return held ? holding_holder(&view->holders, held)->pid : 0;
}

static void record_span(struct record *r, int field, struct span s)
{
	if (field < 0 || s.len == 0)
		return;
	s = arena_span(r->arena, s);
	if (s.ptr)
		record_str(r, (size_t)field, s);
	else
		record_unknown(r, (size_t)field, ENOMEM);
}

static void record_error(struct record *r, const int *fields, size_t n, int error)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i] >= 0)
			record_unknown(r, (size_t)fields[i], error);
}

/* Who holds it tells the unit as well; who is but in the same namespace only the container. */
static int record_inhabitant(const struct kind *k, struct projector *p, const struct snapshot *view,
			     size_t index, struct record *r, const int *at)
{
	uint32_t pid = first_holder(k, view, index);
	const struct inhabitant *in;

	if (pid == 0 && !k->namespace)
		return 0;
	if (pid == 0 && k->held && view->depth.no_processes && at[2] >= 0)
		record_unknown_why(r, (size_t)at[2], WHY_TOLD);
	/* In a namespace of its own there may be nobody. */
	if (pid == 0 && view->place->pid == 0 && view->elsewhere)
		return 0;
	in = inhabitants_of(&p->inhabitants, view->context, pid ? pid : view->place->pid);
	if (!in)
		return -ENOMEM;
	if (in->error == -ENOENT || in->error == -ESRCH)
		return 0;
	if (in->error < 0) {
		record_error(r, at, 3, in->error);
		return 0;
	}
	record_span(r, at[0], in->text);
	record_span(r, at[1], in->id);
	record_span(r, pid ? at[2] : -1, in->unit);
	return 0;
}

void record_place(struct record *r, size_t field, const struct place_namespace *ns)
{
	/* A kernel may be made without namespaces of a sort. */
	if (ns->ino)
		record_u64(r, field, ns->ino);
	else if (ns->error && ns->error != -ENOENT)
		record_unknown(r, field, ns->error);
}

int record_whereabouts(const struct kind *k, struct projector *p, const struct snapshot *view, size_t index,
		       struct record *r)
{
	static const char *const names[] = { "container", "container_id", "unit" };
	const int part = kind_part(k);
	/* They stand at the end of every table. */
	const size_t last = r->schema->nfields - 1;
	int at[3], e = 0;

	if (part >= 0 && view != p->snapshot)
		e = place_refs(k, r, view->place->parts[part].ino);
	if (part >= 0)
		record_place(r, last - ARRAY_SIZE(names), &view->place->parts[part]);
	if (e < 0 || !wants_any(p->want, last - ARRAY_SIZE(names) + 1, last))
		return e;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		at[i] = wants(p->want, last - ARRAY_SIZE(names) + 1 + i) ?
				(int)(last - ARRAY_SIZE(names) + 1 + i) :
				-1;
	return record_inhabitant(k, p, view, index, r, at);
}
