/* SPDX-License-Identifier: MIT */
/* The objects of a kind here and elsewhere: see the end of kind.h. */
#include <errno.h>

#include "kind/elsewhere.h"
#include "kind/whereabouts.h"

int kind_part(const struct kind *k)
{
	static const char *const fields[PLACE_PARTS] = {
		[PLACE_IPC] = "ipcns",
		[PLACE_SHM] = "mntns",
		[PLACE_NET] = "netns",
	};

	for (int part = 0; k->namespace && part < PLACE_PARTS; part++)
		if (strcmp(k->namespace, fields[part]) == 0)
			return part;
	return -1;
}

/* Views that have objects of the kind at all. */
static size_t views_of(const struct kind *k, const struct snapshot *s)
{
	return k->namespace ? s->nviews : 0;
}

size_t kind_count(const struct kind *k, const struct snapshot *s)
{
	size_t n = k->count(s);

	for (size_t v = 0; v < views_of(k, s); v++)
		n += k->count(&s->views[v]);
	return n;
}

const struct snapshot *kind_view(const struct kind *k, const struct snapshot *s, size_t *i)
{
	const struct snapshot *view = s;

	for (size_t v = 0, n = k->count(s); v < views_of(k, s) && *i >= n; v++) {
		*i -= n;
		view = &s->views[v];
		n = k->count(view);
	}
	return view;
}

struct snapshot *kind_next_place(const struct kind *k, struct snapshot *s, const struct snapshot *after)
{
	const int part = kind_part(k);

	if (!after && (part < 0 || s->places.here_wanted[part]))
		return s;
	for (size_t v = !after || after == s ? 0 : (size_t)(after - s->views) + 1; v < views_of(k, s); v++)
		if (s->views[v].place->parts[part].ino && s->views[v].place->parts[part].error == 0)
			return &s->views[v];
	return NULL;
}

bool kind_owns(const struct kind *k, const struct snapshot *s, size_t i)
{
	return !k->owns || k->owns(kind_view(k, s, &i), i);
}

bool kind_is_certain(const struct kind *k, const struct snapshot *s, size_t i)
{
	return !k->is_certain || k->is_certain(kind_view(k, s, &i), i);
}

const struct holding *kind_held(const struct kind *k, const struct snapshot *s, size_t i)
{
	return k->held ? k->held(kind_view(k, s, &i), i) : NULL;
}

/* Whether what is done to objects has to be done from within their namespace. */
static bool is_entered(const struct kind *k, const struct snapshot *view, const struct snapshot *s)
{
	return k->numbered && view != s;
}

/* Whether they have to be projected there. */
static bool is_asked_there(const struct kind *k, const struct projector *p, const struct snapshot *view)
{
	return view != p->snapshot && k->enters && k->enters(p, view);
}

/* One object of a view. */
static int project_there(const struct kind *k, struct projector *p, const struct snapshot *view, size_t i,
			 struct record *r)
{
	const struct snapshot *s = p->snapshot;
	int e;

	p->snapshot = view;
	e = k->project(p, i, r);
	p->snapshot = s;
	if (e == 0)
		e = record_whereabouts(k, p, view, i, r);
	return e == 0 && (r->arena->failed || projector_failed(p)) ? -ENOMEM : e;
}

/* Fetches what the next objects need while this one is projected, the farther ahead the earlier the step. */
static void prefetch(const struct stretch *s, size_t i)
{
	const size_t ahead = 4;

	for (int step = 0; s->k->prefetch && step < HOLDERS_STEPS; step++) {
		size_t next = i + ahead * (size_t)(HOLDERS_STEPS - step);

		if (next < s->to)
			s->k->prefetch(s->view, next, (enum holders_step)step);
	}
}

int stretch_each(const struct stretch *s)
{
	int e = 0;

	for (size_t i = s->from; e == 0 && i < s->to; i++) {
		prefetch(s, i);
		if (s->k->owns && !s->k->owns(s->view, i))
			continue;
		record_clear(s->r);
		arena_reset(s->r->arena);
		e = project_there(s->k, s->p, s->view, i, s->r);
		if (e == 0)
			e = s->visit(s->data, s->base + i, s->r);
		else if (e == PROJECT_SKIP)
			e = 0;
	}
	return e;
}

int kind_each(const struct kind *k, struct projector *p, size_t from, size_t to, struct record *r,
	      int (*visit)(void *data, size_t index, const struct record *r), void *data)
{
	const struct snapshot *s = p->snapshot;
	int e = 0;

	while (e == 0 && from < to) {
		size_t i = from, n, left;
		const struct snapshot *view = kind_view(k, s, &i);
		struct stretch stretch = { k, p, view, i, 0, from - i, r, visit, data };

		n = k->count(view);
		left = to - from < n - i ? to - from : n - i;
		stretch.to = i + left;
		if (left == 0)
			break;
		e = is_asked_there(k, p, view) ? stretch_elsewhere(&stretch) : stretch_each(&stretch);
		from += left;
	}
	return e;
}

/* Copies what a child told of one object into the caller's record. */
struct single {
	struct record *to;
	bool found;
};

static int take_single(void *data, size_t index _unused_, const struct record *r)
{
	struct single *single = data;

	single->found = true;
	for (size_t f = 0; f < r->schema->nfields; f++)
		single->to->values[f] = value_copy(&r->values[f], &r->schema->fields[f], single->to->arena);
	single->to->unknowns = r->unknowns;
	return single->to->arena->failed ? -ENOMEM : 0;
}

int kind_project(const struct kind *k, struct projector *p, size_t i, struct record *r)
{
	size_t there = i;
	const struct snapshot *view = kind_view(k, p->snapshot, &there);
	struct arena values = { 0 }, arena = { 0 };
	struct single single = { r, false };
	struct record record;
	int e;

	if (!is_asked_there(k, p, view))
		return project_there(k, p, view, there, r);
	e = record_init(&record, r->schema, &values);
	record.arena = &arena;
	if (e == 0)
		e = kind_each(k, p, i, i + 1, &record, take_single, &single);
	arena_free(&values);
	arena_free(&arena);
	return e == 0 && !single.found ? PROJECT_SKIP : e;
}

/* As k->resolve() in one view; base: what its indices begin with. */
static int resolve_in(const struct kind *k, struct snapshot *view, size_t base, struct span id,
		      struct matches *m, struct report *report)
{
	size_t before = m->count;
	int r = k->resolve(view, id, m, report);

	for (size_t i = before; i < m->count; i++)
		m->items[i] += base;
	return r;
}

int kind_resolve(const struct kind *k, struct snapshot *s, struct span id, struct matches *m,
		 struct report *report)
{
	const int part = kind_part(k);
	uint64_t ino = 0;
	size_t prefix = part < 0 ? 0 : place_prefix(id, &ino), base = k->count(s);
	int r = 0;

	if (prefix == 0 || s->place->parts[part].ino == ino)
		r = resolve_in(k, s, 0, span_from(id, prefix), m, report);
	for (size_t v = 0; r == 0 && v < views_of(k, s); v++) {
		struct snapshot *view = &s->views[v];

		if (prefix ? view->place->parts[part].ino == ino : s->places.everywhere)
			r = resolve_in(k, view, base, span_from(id, prefix), m, report);
		base += k->count(view);
	}
	return r;
}

int deed_do(const struct deed *d)
{
	const struct snapshot *s;
	int r;

	if (!d->p)
		return d->k->remove(d->view, d->index, d->report);
	s = d->p->snapshot;
	d->p->snapshot = d->view;
	r = d->k->reclaim(d->p, d->index, d->rules, d->report);
	d->p->snapshot = s;
	return r;
}

int kind_remove(const struct kind *k, struct snapshot *s, size_t i, struct report *report)
{
	struct deed d = { .k = k, .report = report };

	d.view = (struct snapshot *)(uintptr_t)kind_view(k, s, &i);
	d.index = i;
	return is_entered(k, d.view, s) ? deed_do_elsewhere(&d) : deed_do(&d);
}

int kind_reclaim(const struct kind *k, struct projector *p, size_t i, const struct reclaim *rules,
		 struct report *report)
{
	struct deed d = { .k = k, .p = p, .rules = rules, .report = report };

	d.view = (struct snapshot *)(uintptr_t)kind_view(k, p->snapshot, &i);
	d.index = i;
	return is_entered(k, d.view, p->snapshot) ? deed_do_elsewhere(&d) : deed_do(&d);
}

/* Puts the number of the namespace into the reference of what was made. */
static int ref_of_place(const struct kind *k, const struct snapshot *s, struct report *report)
{
	struct span rest = span_from(report->ref, strlen(k->name) + 1);

	if (rest.len > 0 && rest.ptr[0] == '/')
		rest = span_from(rest, 1);
	return report_ref(report, "%s:%llu/%.*s", k->name,
			  (unsigned long long)s->place->parts[kind_part(k)].ino, (int)rest.len, rest.ptr);
}

int kind_create(const struct kind *k, const struct snapshot *s, const struct create_args *args,
		struct report *report)
{
	struct create_args there = *args;
	const int part = kind_part(k);
	int r;

	if (!s->elsewhere)
		return k->create(args, report);
	there.shm = s->shm.root;
	r = part == PLACE_IPC ? create_elsewhere(k, s, &there, report) : k->create(&there, report);
	return r == 0 ? ref_of_place(k, s, report) : r;
}

void kind_limit(const struct limit *limit, struct snapshot *s, struct limit_value *out)
{
	*out = (struct limit_value){ 0 };
	if (!s->elsewhere || s->place->ipc < 0)
		limit->read(s, out);
	else
		limit_elsewhere(limit, s, out);
}
