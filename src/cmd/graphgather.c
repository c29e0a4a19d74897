/* SPDX-License-Identifier: MIT */
/* What the records of all kinds tell: objects, and who has them. */
#include <errno.h>

#include "cmd/graphfields.h"
#include "lib/vec.h"

const struct kind *graph_kind(const struct graph *g, const struct graph_item *item)
{
	return g->l->kinds[item->kind];
}

uint32_t graph_process_of(struct graph *g, uint32_t pid)
{
	const struct hash_slot *slot = hash_find(&g->pids, pid, NULL);

	if (slot)
		return slot->value;
	if (vec_reserve(&g->processes, g->nprocesses, sizeof(*g->processes)) < 0 ||
	    hash_add(&g->pids, pid, (uint32_t)g->nprocesses) < 0)
		return GRAPH_NOTHING;
	g->processes[g->nprocesses] = (struct graph_process){ .pid = pid };
	return (uint32_t)g->nprocesses++;
}

uint32_t graph_item_of(const struct graph *g, struct span ref)
{
	uint64_t key = hash_bytes(ref);

	for (const struct hash_slot *s = hash_find(&g->refs, key, NULL); s; s = hash_find(&g->refs, key, s))
		if (span_eq(g->items[s->value].ref, ref))
			return s->value;
	return GRAPH_NOTHING;
}

/* The kind under way. */
struct gathering {
	struct graph *g;
	size_t kind;
	struct graph_columns at;
	struct fieldset want;
};

/* A value of a row by the name of its field, if it is set, or NULL. */
static const struct value *value_of(const struct record *r, const char *name)
{
	int field = schema_find(r->schema, span_of(name));

	return field >= 0 && r->values[field].state == VALUE_SET ? &r->values[field] : NULL;
}

static const struct value *value_at(const struct record *r, int field)
{
	return field >= 0 && r->values[field].state == VALUE_SET ? &r->values[field] : NULL;
}

/* The bit of a role. There are but a few words for them; what is beyond goes without. */
static uint32_t role_bit(struct graph *g, struct span role)
{
	size_t i = 0;

	while (i < g->nroles && !span_eq(g->roles[i], role))
		i++;
	if (role.len == 0 || i == GRAPH_ROLES)
		return 0;
	if (i == g->nroles) {
		g->roles[i] = arena_span(&g->arena, role);
		if (!g->roles[i].ptr)
			return 0;
		g->nroles++;
	}
	return (uint32_t)1 << i;
}

static uint8_t access_bits(struct span access)
{
	return (uint8_t)((span_starts(access, "read") ? GRAPH_READS : 0) |
			 (span_is(access, "write") || span_is(access, "read-write") ? GRAPH_WRITES : 0));
}

/* Which ends of a channel somebody has; a descriptor that reaches no data has none. */
static uint8_t ends_of(const struct channel *channel, struct span role, uint8_t access)
{
	if (!channel || access == 0)
		return 0;
	if (!channel->source || span_is(role, channel->source))
		return GRAPH_SOURCE;
	return span_is(role, channel->sink) ? GRAPH_SINK : GRAPH_SOURCE | GRAPH_SINK;
}

static int add_hold(struct graph *g, struct graph_item *item, uint32_t process, struct span access,
		    struct span role)
{
	const struct channel *channel = graph_kind(g, item)->channel;
	struct graph_hold hold = { .process = process,
				   .access = access_bits(access),
				   .roles = role_bit(g, role) };

	if (process == g->self && process != GRAPH_NOTHING) {
		item->own = true;
		return 0;
	}
	hold.ends = ends_of(channel, role, hold.access);
	if (process == GRAPH_NOTHING || vec_reserve(&g->holds, g->nholds, sizeof(hold)) < 0)
		return -ENOMEM;
	item->listens |= channel && channel->listener && span_is(role, channel->listener);
	g->holds[g->nholds++] = hold;
	item->count++;
	return 0;
}

/* A process that a row tells of, with what it tells. */
static uint32_t process_in(struct graph *g, const struct record *row)
{
	const struct value *pid = value_of(row, "pid"), *start = value_of(row, "start_time");
	const struct value *command = value_of(row, "command"), *user = value_of(row, "user");
	uint32_t n = pid ? graph_process_of(g, (uint32_t)pid->u64) : GRAPH_NOTHING;
	struct graph_process *p;

	if (n == GRAPH_NOTHING)
		return n;
	p = &g->processes[n];
	if (p->told || !start || !command)
		return n;
	p->start = start->i64;
	p->command = arena_span(&g->arena, command->str);
	if (user)
		p->user = arena_span(&g->arena, user->str);
	p->told = p->command.ptr != NULL;
	return p->told ? n : GRAPH_NOTHING;
}

static int compare_holds(const void *pa, const void *pb)
{
	const struct graph_hold *a = pa, *b = pb;

	return (a->process > b->process) - (a->process < b->process);
}

/* One hold for each process. */
static void merge_holds(struct graph *g, struct graph_item *item)
{
	struct graph_hold *holds = &g->holds[item->first];
	size_t n = 0;

	if (item->count < 2)
		return;
	qsort(holds, item->count, sizeof(*holds), compare_holds);
	for (size_t i = 1; i < item->count; i++) {
		if (holds[i].process != holds[n].process) {
			holds[++n] = holds[i];
			continue;
		}
		holds[n].access |= holds[i].access;
		holds[n].ends |= holds[i].ends;
		holds[n].roles |= holds[i].roles;
	}
	g->nholds -= item->count - (n + 1);
	item->count = n + 1;
}

static int add_holders(struct graph *g, struct graph_item *item, const struct list *list)
{
	const struct value *access, *role;
	struct record row;
	int e = 0;

	for (size_t i = 0; e == 0 && i < list->count; i++) {
		list_row(list, i, &row);
		access = value_of(&row, "access");
		role = value_of(&row, "role");
		e = add_hold(g, item, process_in(g, &row), access ? access->str : SPAN(""),
			     role ? role->str : SPAN(""));
	}
	merge_holds(g, item);
	return e;
}

/* A process that the record or row notes, if it still lives. */
static int add_trace(struct gathering *a, struct graph_item *item, const struct trace *t,
		     const struct record *r)
{
	int field = schema_find(r->schema, span_of(t->field));

	if (!value_at(r, field) || !value_at(r, field + 1))
		return 0;
	return add_hold(a->g, item, graph_process_of(a->g, (uint32_t)r->values[field].u64),
			span_of(t->access), span_of(t->role));
}

static int add_traces(struct gathering *a, struct graph_item *item, const struct record *r)
{
	int e = 0;

	for (const struct trace *t = a->g->l->kinds[a->kind]->traces; e == 0 && t && t->field; t++) {
		const struct value *list = t->list ? value_of(r, t->list) : NULL;
		struct record row;

		if (!t->list)
			e = add_trace(a, item, t, r);
		for (size_t i = 0; e == 0 && list && i < list->list->count; i++) {
			list_row(list->list, i, &row);
			e = add_trace(a, item, t, &row);
		}
	}
	return e;
}

/* Who has it: its holders; a thing that is part of one process has that; else whom it notes. */
static int gather_holds(struct gathering *a, struct graph_item *item, const struct record *r)
{
	const struct value *holders = value_at(r, a->at.holders), *owner = value_at(r, a->at.owner_pid);
	int e = 0;

	item->first = a->g->nholds;
	if (holders)
		e = add_holders(a->g, item, holders->list);
	else if (a->at.holders < 0 && value_at(r, a->at.pid))
		e = add_hold(a->g, item, process_in(a->g, r), SPAN("read"), SPAN(""));
	if (e == 0)
		e = add_traces(a, item, r);
	merge_holds(a->g, item);
	if (owner && owner->u64)
		item->owner = graph_process_of(a->g, (uint32_t)owner->u64);
	return e;
}

static struct span text_at(struct graph *g, const struct record *r, int field)
{
	const struct value *v = value_at(r, field);

	return v ? arena_span(&g->arena, v->str) : SPAN("");
}

/* A digest of what a listener and the ends that it accepted have in common. */
static uint64_t address_of(const struct record *r, int field)
{
	const struct value *v = value_at(r, field);

	if (!v)
		return 0;
	if (field_is_number(r->schema->fields[field].type))
		return v->u64 + 1;
	return hash_bytes(v->str) | 1;
}

/* Whether it is to be drawn; that a filter could not tell is said. */
static bool passes(struct listing *l, const struct record *r)
{
	enum match m = l->sheet.filters.count ? filters_match(&l->sheet.filters, r) : MATCH_YES;

	if (m == MATCH_UNKNOWN)
		warnings_add(&l->sheet.warnings,
			     &(struct warning){ .subject = r->schema->name,
						.count = 1,
						.text = "left out: what a filter asks for is unknown" });
	return m == MATCH_YES;
}

static int gather(void *data, size_t index, const struct record *r)
{
	struct gathering *a = data;
	struct graph *g = a->g;
	struct graph_item item = {
		.kind = a->kind,
		.index = index,
		.ref = text_at(g, r, a->at.ref),
		.state = text_at(g, r, a->at.state),
		.reason = text_at(g, r, a->at.reason),
		.peer = text_at(g, r, a->at.peer),
		.address = address_of(r, a->at.address),
		.size = graph_value(r, a->at.size),
		.queued = graph_value(r, a->at.queued),
		.queued_back = graph_value(r, a->at.queued_back),
		.capacity = graph_value(r, a->at.capacity),
		.owner = GRAPH_NOTHING,
		.other = GRAPH_NOTHING,
		.like = (uint32_t)g->nitems,
		.alike = 1,
		.next = GRAPH_NOTHING,
		.last = (uint32_t)g->nitems,
		.passes = passes(g->l, r),
	};

	if (!item.ref.ptr || !item.state.ptr || !item.reason.ptr || !item.peer.ptr ||
	    gather_holds(a, &item, r) < 0)
		return -ENOMEM;
	if (item.passes)
		warnings_tally(&g->l->sheet.warnings, r, a->want);
	if (vec_reserve(&g->items, g->nitems, sizeof(item)) < 0 ||
	    hash_add(&g->refs, hash_bytes(item.ref), (uint32_t)g->nitems) < 0)
		return -ENOMEM;
	g->items[g->nitems++] = item;
	return 0;
}

int graph_gather(struct graph *g)
{
	struct listing *l = g->l;
	int e = 0;

	g->left = calloc(l->nkinds + 1, sizeof(*g->left));
	if (!g->left)
		return -ENOMEM;
	g->self = GRAPH_NOTHING;
	if (l->context->scan.own_proc && l->context->scan.own_pids) {
		g->self = graph_process_of(g, (uint32_t)getpid());
		if (g->self == GRAPH_NOTHING)
			return -ENOMEM;
	}
	for (size_t i = 0; e == 0 && i < l->nkinds; i++) {
		struct gathering a = { .g = g, .kind = i, .at = graph_columns_of(l->kinds[i]) };
		struct fieldset all;

		a.want = graph_first_fields(l->kinds[i]);
		all.bits = a.want.bits | sheet_fields(&l->sheet, i).bits;
		e = listing_each(l, i, all, gather, &a);
	}
	return e;
}
