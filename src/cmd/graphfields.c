/* SPDX-License-Identifier: MIT */
#include "cmd/graphfields.h"

#include <errno.h>

static int find(const struct schema *schema, const char *name)
{
	return name ? schema_find(schema, span_of(name)) : -1;
}

struct graph_columns graph_columns_of(const struct kind *k)
{
	static const struct channel none;
	const struct channel *channel = k->channel ? k->channel : &none;
	struct graph_columns at = {
		.ref = find(k->schema, "ref"),
		.state = find(k->schema, "state"),
		.reason = find(k->schema, "reason"),
		.size = find(k->schema, "size"),
		.holders = find(k->schema, "holders"),
		.pid = find(k->schema, "pid"),
		.owner_pid = find(k->schema, "owner_pid"),
		.peer = find(k->schema, channel->peer),
		.address = find(k->schema, channel->address),
		.queued = find(k->schema, channel->queued),
		.queued_back = find(k->schema, channel->queued_back),
		.capacity = find(k->schema, channel->capacity),
	};

	if (at.size < 0)
		at.size = find(k->schema, k->bytes_field);
	return at;
}

struct fieldset graph_fields(const struct kind *k)
{
	struct graph_columns at = graph_columns_of(k);
	const int fields[] = { at.ref,	     at.state, at.reason,  at.size,   at.holders,     at.pid,
			       at.owner_pid, at.peer,  at.address, at.queued, at.queued_back, at.capacity };
	struct fieldset set = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i] >= 0)
			set.bits |= (uint64_t)1 << fields[i];
	for (const struct trace *t = k->traces; t && t->field; t++) {
		int field = find(k->schema, t->list ? t->list : t->field);

		set.bits |= (uint64_t)1 << field;
		if (!t->list)
			set.bits |= (uint64_t)2 << field;
	}
	return set;
}

unsigned graph_sources(const struct listing *l)
{
	unsigned sources = SOURCE_HOLDERS;

	for (size_t i = 0; i < l->nkinds; i++)
		sources |= l->kinds[i]->sources | schema_sources(l->schemas[i], graph_fields(l->kinds[i]));
	return sources;
}

struct fieldset graph_first_fields(const struct kind *k)
{
	struct graph_columns at = graph_columns_of(k);
	const int later[] = { at.queued, at.queued_back, at.capacity };
	struct fieldset set = graph_fields(k);

	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if (later[i] >= 0 && k->schema->fields[later[i]].flags & FIELD_ON_DEMAND)
			set.bits &= ~((uint64_t)1 << later[i]);
	return set;
}

struct value graph_value(const struct record *r, int field)
{
	return field >= 0 ? r->values[field] : (struct value){ .state = VALUE_ABSENT };
}

/* Reads what was left for later. */
static int read_fill(struct graph *g, struct graph_item *item, struct hand *h)
{
	const struct kind *k = graph_kind(g, item);
	struct graph_columns at = graph_columns_of(k);
	struct record r;
	int e = record_init(&r, k->schema, &h->arena);

	if (e < 0)
		return e;
	h->projector.want.bits = graph_fields(k).bits & ~graph_first_fields(k).bits;
	e = h->projector.want.bits ? kind_project(k, &h->projector, item->index, &r) : PROJECT_SKIP;
	if (e == 0) {
		item->queued = graph_value(&r, at.queued);
		item->queued_back = graph_value(&r, at.queued_back);
		item->capacity = graph_value(&r, at.capacity);
		warnings_tally(&g->l->sheet.warnings, &r, h->projector.want);
	}
	arena_reset(&h->arena);
	return e == PROJECT_SKIP ? 0 : e;
}

int graph_fill(struct graph *g)
{
	struct hand h = { .projector = { .snapshot = &g->l->snapshot } };
	int e = 0;

	for (size_t i = 0; e == 0 && i < g->nlinks; i++) {
		struct graph_item *item = &g->items[g->links[i].item];

		if (g->links[i].relation != GRAPH_CONNECTS || item->filled)
			continue;
		item->filled = true;
		e = read_fill(g, item, &h);
	}
	hand_free(&h);
	return e;
}

/* How much speaks for an end being that of who took the connection. */
static int servility(const struct hash *listeners, const struct graph_item *item)
{
	return item->listens						  ? 3 :
	       item->address && hash_find(listeners, item->address, NULL) ? 2 :
	       item->address						  ? 1 :
									    0;
}

static void tell_server(struct graph *g, const struct hash *listeners, uint32_t number)
{
	struct graph_item *item = &g->items[number], *other = &g->items[item->other];
	int here = servility(listeners, item), there = servility(listeners, other);
	bool mutual = other->other == number;

	/* One that many are connected to, and that is connected to none, is theirs. */
	item->known = !mutual || here != there;
	item->server = mutual && here > there;
}

int graph_connect(struct graph *g)
{
	struct hash listeners = { 0 };
	int e = 0;

	for (size_t i = 0; e == 0 && i < g->nitems; i++) {
		struct graph_item *item = &g->items[i];

		/* Thousands may listen at one address: it is enough to know it. */
		if (item->listens && item->address && !hash_find(&listeners, item->address, NULL))
			e = hash_add(&listeners, item->address, (uint32_t)i);
		if (item->peer.len == 0)
			continue;
		item->other = graph_item_of(g, item->peer);
		if (item->other == i)
			item->other = GRAPH_NOTHING;
	}
	for (size_t i = 0; e == 0 && i < g->nitems; i++) {
		struct graph_item *item = &g->items[i];

		if (item->other == GRAPH_NOTHING || item->met)
			continue;
		tell_server(g, &listeners, (uint32_t)i);
		if (g->items[item->other].other == i) {
			g->items[item->other].met = true;
			item->passes |= g->items[item->other].passes;
			g->items[item->other].passes = item->passes;
		} else {
			g->items[item->other].heard = true;
		}
	}
	hash_free(&listeners);
	return e;
}

void graph_free(struct graph *g)
{
	free(g->processes);
	hash_free(&g->pids);
	free(g->items);
	hash_free(&g->refs);
	free(g->holds);
	free(g->waits);
	free(g->links);
	free(g->edges);
	free(g->order);
	free(g->grouped);
	free(g->clusters);
	free(g->left);
	arena_free(&g->arena);
	*g = (struct graph){ 0 };
}
