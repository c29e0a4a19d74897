/* SPDX-License-Identifier: MIT */
#include "cmd/plan.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/targets.h"
#include "lib/vec.h"

void plan_init(struct plan *p, struct context *c)
{
	*p = (struct plan){ .context = c, .snapshot = { .shm.root = -1, .queues.root = -1 } };
}

/* Frees what a plan gathered; not its snapshot. */
static void free_items(struct plan *p)
{
	hash_free(&p->planned);
	warnings_free(&p->warnings);
	arena_free(&p->arena);
	free(p->items);
}

void plan_free(struct plan *p)
{
	snapshot_free(&p->snapshot);
	free_items(p);
}

const struct holding *removal_held(const struct plan *p, const struct removal *r)
{
	return kind_held(r->kind, &p->snapshot, r->index);
}

/* Whether the object is in the plan already: it may have been named twice. */
static bool is_planned(const struct plan *p, const struct kind *k, size_t index)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&p->planned, index, slot)) != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is found was added */
		if (p->items[slot->value].kind == k)
			return true;
	return false;
}

static int plan_add(struct plan *p, const struct kind *k, size_t index)
{
	struct projector projector = { .snapshot = &p->snapshot };
	struct record r;
	int ref = schema_find(k->schema, SPAN("ref"));
	int e;

	if (is_planned(p, k, index))
		return 0;
	if (vec_reserve(&p->items, p->count, sizeof(*p->items)) < 0)
		return -ENOMEM;
	projector.want.bits = (uint64_t)1 << ref;
	e = record_init(&r, k->schema, &p->arena);
	if (e == 0)
		e = kind_project(k, &projector, index, &r);
	if (e == 0)
		e = hash_add(&p->planned, index, (uint32_t)p->count);
	if (e == 0)
		p->items[p->count++] =
			(struct removal){ .kind = k, .index = index, .ref = r.values[ref].str };
	projector_free(&projector);
	return e == PROJECT_SKIP ? 0 : e;
}

/* A reference that means several objects: all are listed, none is touched. */
static void refuse_several(struct plan *p, const struct target *t, const struct matches *m)
{
	_cleanup_(buf_free) struct buf names = { 0 };
	struct plan several = { .context = p->context, .snapshot = p->snapshot };

	for (size_t i = 0; i < m->count; i++)
		if (plan_add(&several, t->kind, m->items[i]) < 0)
			break;
	for (size_t i = 0; i < several.count; i++) {
		buf_putc(&names, ' ');
		buf_put_span(&names, several.items[i].ref);
	}
	diag_error(&p->context->diag, "remove %s: means %zu objects, none is touched; name one:%s", t->text,
		   m->count, buf_cstr(&names) ? names.data : "");
	free_items(&several);
}

static int plan_target(struct plan *p, const struct target *t)
{
	struct context *c = p->context;
	struct matches m = { 0 };
	int status = -1;
	int n = target_resolve(c, "remove", t, &p->snapshot, &m, &status);

	bool unsure = m.error || snapshot_failed(&p->snapshot) & t->kind->sources;

	if (n == 0 && (unsure || !c->options.missing_ok))
		target_not_found(c, "remove", t, &p->snapshot, &m);
	else if (n == 1 && plan_add(p, t->kind, m.items[0]) < 0)
		status = out_of_memory(c);
	else if (n > 1)
		refuse_several(p, t, &m);
	matches_free(&m);
	return status;
}

/* Every object of a kind that --all was given. */
static int plan_kind(struct plan *p, const struct kind *k)
{
	size_t n = kind_count(k, &p->snapshot);

	for (size_t i = 0; i < n; i++) {
		size_t before = p->count;

		if (!kind_owns(k, &p->snapshot, i))
			continue;
		if (plan_add(p, k, i) < 0)
			return out_of_memory(p->context);
		if (p->count > before)
			p->items[before].doubtful = !kind_is_certain(k, &p->snapshot, i);
	}
	return -1;
}

/* What the scan must gather for both. 0 or -ENOMEM. */
static int plan_request(const struct plan *p, const struct targets *targets, const struct kind_list *list,
			struct scan_request *request)
{
	bool kill = p->context->options.kill.count > 0;

	for (size_t i = 0; i < list->count; i++)
		request->sources |= list->items[i]->sources;
	/* Who holds it is said where that alone keeps it alive. */
	for (size_t i = 0; i < targets->count; i++)
		if (targets->items[i].kind->held && (kill || targets->items[i].kind->transient))
			request->sources |= SOURCE_HOLDERS;
	return targets_request(targets, request);
}

static void say_warnings(struct plan *p)
{
	for (size_t i = 0; i < p->warnings.count; i++) {
		_cleanup_(buf_free) struct buf text = { 0 };

		warning_text(&p->warnings.items[i], &text);
		if (buf_cstr(&text))
			diag_note_escaped(&p->context->diag, text.data);
	}
}

int plan_take(struct plan *p, const struct targets *targets, const struct kind_list *list)
{
	struct context *c = p->context;
	struct scan_request request = { 0 };
	int status = -1;

	if (plan_request(p, targets, list, &request) < 0 ||
	    snapshot_take(&p->snapshot, &c->scan, &request, &p->warnings) < 0)
		status = out_of_memory(c);
	scan_request_free(&request);
	for (size_t i = 0; status < 0 && i < targets->count; i++)
		status = plan_target(p, &targets->items[i]);
	for (size_t i = 0; status < 0 && i < list->count; i++)
		status = plan_kind(p, list->items[i]);
	say_warnings(p);
	if (list->count > 0 && p->warnings.incomplete)
		diag_error(&c->diag, "remove --all: not everything could be seen");
	return status;
}
