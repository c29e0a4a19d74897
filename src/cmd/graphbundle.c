/* SPDX-License-Identifier: MIT */
/* What looks the same becomes one, with a count; what is drawn gets its numbers. */
#include <errno.h>

#include "cmd/graphmodel.h"
#include "cmd/graphpeople.h"

/* The lines of an object: links[first .. first + count), for they were drawn one object after another. */
struct lines {
	size_t first, count;
	bool awaited;
};

static struct lines *lines_of_items(const struct graph *g)
{
	struct lines *lines = calloc(g->nitems + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < g->nlinks; i++) {
		struct lines *l = &lines[g->links[i].item];

		if (l->count++ == 0)
			l->first = i;
		l->awaited |= g->links[i].relation == GRAPH_WAITS;
	}
	return lines;
}

/* The end of a link that is not the object itself. */
static uint32_t process_end(const struct graph *g, const struct graph_link *link)
{
	return graph_is_process(g, link->from) ? link->from : link->to;
}

static bool same_link(const struct graph *g, const struct graph_link *a, const struct graph_link *b)
{
	return process_end(g, a) == process_end(g, b) && a->relation == b->relation &&
	       a->direction == b->direction && a->roles == b->roles &&
	       graph_is_process(g, a->from) == graph_is_process(g, b->from);
}

static bool same_item(const struct graph *g, const struct lines *lines, uint32_t a, uint32_t b)
{
	const struct graph_link *la = &g->links[lines[a].first], *lb = &g->links[lines[b].first];

	if (g->items[a].kind != g->items[b].kind || !span_eq(g->items[a].state, g->items[b].state) ||
	    lines[a].count != lines[b].count)
		return false;
	for (size_t i = 0; i < lines[a].count; i++)
		if (!same_link(g, &la[i], &lb[i]))
			return false;
	return true;
}

/* A digest of all that makes objects look the same. */
static uint64_t look_of(const struct graph *g, const struct lines *lines, uint32_t item)
{
	uint64_t look = hash_bytes(g->items[item].state) ^ g->items[item].kind;

	for (size_t i = 0; i < lines[item].count; i++) {
		const struct graph_link *link = &g->links[lines[item].first + i];

		look = look * 0x100000001b3u ^ link->from * (uint64_t)(link->from != item);
		look = look * 0x100000001b3u ^ link->to * (uint64_t)(link->to != item);
		look = look * 0x100000001b3u ^ (link->relation << 8 | link->direction);
	}
	return look;
}

/* Of a row of sums, one more. */
void graph_add_value(struct value *sum, const struct value *v)
{
	if (v->state == VALUE_ABSENT || sum->state == VALUE_UNKNOWN)
		return;
	if (v->state == VALUE_UNKNOWN || sum->state == VALUE_ABSENT)
		*sum = *v;
	else
		sum->u64 += v->u64;
}

static void join(struct graph *g, const struct lines *lines, uint32_t item, uint32_t to)
{
	for (size_t i = 0; i < lines[item].count; i++) {
		struct graph_link *link = &g->links[lines[item].first + i];

		*(link->from == item ? &link->from : &link->to) = to;
	}
	g->items[item].like = to;
	g->items[to].alike++;
	g->items[g->items[to].last].next = item;
	g->items[to].last = item;
	graph_add_value(&g->items[to].size, &g->items[item].size);
}

/* Objects of one kind and state that the same processes have in the same way, and nobody waits for. */
static int bundle_items(struct graph *g)
{
	struct lines *lines = lines_of_items(g);
	struct hash looks = { 0 };
	int e = lines ? 0 : -ENOMEM;

	for (uint32_t i = 0; e == 0 && i < g->nitems; i++) {
		const struct hash_slot *slot;
		uint64_t look;

		if (!g->items[i].as_node || g->items[i].as_line || lines[i].awaited)
			continue;
		look = look_of(g, lines, i);
		slot = hash_find(&looks, look, NULL);
		while (slot && !same_item(g, lines, slot->value, i))
			slot = hash_find(&looks, look, slot);
		if (slot)
			join(g, lines, i, slot->value);
		else
			e = hash_add(&looks, look, i);
	}
	hash_free(&looks);
	free(lines);
	return e;
}

static int compare_spans(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return d ? d : (a.len > b.len) - (a.len < b.len);
}

static int compare_nodes(const void *pa, const void *pb, void *data)
{
	const struct graph *g = data;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	if (graph_is_process(g, a) != graph_is_process(g, b))
		return graph_is_process(g, a) ? -1 : 1;
	if (graph_is_process(g, a)) {
		uint32_t x = graph_process_at(g, a)->pid, y = graph_process_at(g, b)->pid;

		return (x > y) - (x < y);
	}
	if (g->items[a].kind != g->items[b].kind)
		return g->items[a].kind < g->items[b].kind ? -1 : 1;
	return compare_spans(g->items[a].ref, g->items[b].ref);
}

/* Numbers what is drawn: processes with a line, and objects that are nodes. */
static int number_nodes(struct graph *g)
{
	const struct hash_slot *centre = g->pid ? hash_find(&g->pids, g->pid, NULL) : NULL;

	g->order = calloc(g->nitems + g->nprocesses + 1, sizeof(*g->order));
	if (!g->order)
		return -ENOMEM;
	for (size_t i = 0; i < g->nlinks; i++) {
		const struct graph_link *link = &g->links[i];

		if (graph_is_process(g, link->from))
			graph_process_at(g, link->from)->id = 1;
		if (graph_is_process(g, link->to))
			graph_process_at(g, link->to)->id = 1;
	}
	/* That it shares nothing is an answer, too. */
	if (centre)
		g->processes[centre->value].id = 1;
	for (uint32_t i = 0; i < g->nprocesses; i++)
		if (g->processes[i].id)
			g->order[g->nodes++] = graph_process_node(g, i);
	for (uint32_t i = 0; i < g->nitems; i++)
		if (g->items[i].as_node && g->items[i].like == i)
			g->order[g->nodes++] = i;
	qsort_r(g->order, g->nodes, sizeof(*g->order), compare_nodes, g);
	for (uint32_t i = 0; i < g->nodes; i++)
		*(graph_is_process(g, g->order[i]) ? &graph_process_at(g, g->order[i])->id :
						     &g->items[g->order[i]].id) = i + 1;
	return 0;
}

/* What makes lines look the same; 0: they do. */
static int compare_looks(const struct graph *g, const struct graph_link *a, const struct graph_link *b)
{
	const int64_t differences[] = {
		(int64_t)graph_id(g, a->from) - graph_id(g, b->from),
		(int64_t)graph_id(g, a->to) - graph_id(g, b->to),
		(int64_t)a->relation - (int64_t)b->relation,
		(int64_t)g->items[a->item].kind - (int64_t)g->items[b->item].kind,
		(int64_t)a->direction - (int64_t)b->direction,
		(int64_t)a->doom.verdict - (int64_t)b->doom.verdict,
		(int64_t)a->doom.cycle - (int64_t)b->doom.cycle,
	};

	for (size_t i = 0; i < ARRAY_SIZE(differences); i++)
		if (differences[i])
			return differences[i] < 0 ? -1 : 1;
	return 0;
}

static int compare_links(const void *pa, const void *pb, void *data)
{
	const struct graph_link *a = pa, *b = pb;
	const struct graph *g = data;
	int d = compare_looks(g, a, b);

	return d ? d : compare_spans(g->items[a->item].ref, g->items[b->item].ref);
}

/* How full a line is, as it goes from its `from` to its `to`. */
static void add_fill(const struct graph *g, struct graph_edge *edge, const struct graph_link *link)
{
	const struct graph_item *item = &g->items[link->item];
	struct value queued = item->queued, back = item->queued_back;
	bool peer = !graph_kind(g, item)->channel->source, turned = link->turned;

	/* Of a connection each end tells what waits there; it goes from who asked to who took it. */
	if (peer) {
		queued = (struct value){ .state = VALUE_ABSENT };
		back = item->queued;
		if (item->other != GRAPH_NOTHING && g->items[item->other].other == link->item)
			queued = g->items[item->other].queued;
		turned ^= item->server;
	}
	graph_add_value(&edge->queued, turned ? &back : &queued);
	graph_add_value(&edge->queued_back, turned ? &queued : &back);
	graph_add_value(&edge->capacity, &item->capacity);
}

/* Lines that look the same become one; of one object, as processes have that became one, it counts once. */
static int bundle_links(struct graph *g)
{
	size_t n = 0;

	if (g->nlinks > 1)
		qsort_r(g->links, g->nlinks, sizeof(*g->links), compare_links, g);
	g->edges = calloc(g->nlinks + 1, sizeof(*g->edges));
	if (!g->edges)
		return -ENOMEM;
	for (size_t i = 0; i < g->nlinks; i++) {
		struct graph_link *link = &g->links[i];
		bool same = n > 0 && compare_looks(g, &g->links[n - 1], link) == 0;
		struct graph_edge *edge = &g->edges[same ? g->nedges - 1 : g->nedges++];

		edge->first = same ? edge->first : n;
		edge->waits += link->waits;
		if (same)
			g->links[edge->first].roles |= link->roles;
		if (link->doom.verdict != WAIT_GOES_ON)
			g->items[link->item].doomed = true;
		if (same && g->links[n - 1].item == link->item)
			continue;
		edge->count++;
		if (link->relation == GRAPH_CONNECTS)
			add_fill(g, edge, link);
		g->links[n++] = *link;
	}
	g->joined = g->nlinks - g->nedges;
	g->nlinks = n;
	return 0;
}

int graph_bundle(struct graph *g)
{
	int e = bundle_items(g);

	if (e == 0)
		e = number_nodes(g);
	if (e == 0)
		e = graph_tell_processes(g);
	if (e == 0 && g->group)
		e = graph_group(g);
	if (e == 0)
		e = graph_frame(g);
	return e == 0 ? bundle_links(g) : e;
}
