/* SPDX-License-Identifier: MIT */
/*
 * What is drawn, and how. A channel is a line between those at its ends as long as that takes no
 * more lines than a node with a line to each: so there are never more lines than holds.
 */
#include <errno.h>

#include "cmd/graphlinks.h"
#include "lib/vec.h"

static int add_end(struct linking *a, const struct graph_hold *hold, uint8_t ends)
{
	if (vec_reserve(&a->ends, a->nends, sizeof(*hold)) < 0)
		return -ENOMEM;
	a->ends[a->nends] = *hold;
	a->ends[a->nends++].ends = ends;
	return 0;
}

/* Both lists are ordered by process, and so is what comes out, with one for each. */
static int merge_ends(struct linking *a, const struct graph_hold *near, size_t nnear,
		      const struct graph_hold *far, size_t nfar, uint8_t near_end)
{
	uint8_t far_end = near_end == GRAPH_SOURCE ? GRAPH_SINK : GRAPH_SOURCE;
	size_t i = 0, k = 0;
	int e = 0;

	while (e == 0 && (i < nnear || k < nfar)) {
		if (k == nfar || (i < nnear && near[i].process < far[k].process))
			e = add_end(a, &near[i++], near_end);
		else if (i == nnear || far[k].process < near[i].process)
			e = add_end(a, &far[k++], far_end);
		else
			e = add_end(a, &near[i], near_end | far_end), i++, k++;
	}
	return e;
}

/* Who has which end. Of a connection the source is who asked for it. */
static int collect_ends(struct linking *a)
{
	const struct graph *g = a->g;
	const struct graph_item *item = &g->items[a->item], *other = NULL;
	const struct graph_hold *near = &g->holds[item->first];
	int e = 0;

	a->nends = 0;
	if (graph_kind(g, item)->channel->source) {
		for (size_t i = 0; e == 0 && i < item->count; i++)
			e = add_end(a, &near[i], near[i].ends);
		return e;
	}
	if (item->other != GRAPH_NOTHING)
		other = &g->items[item->other];
	return merge_ends(a, near, item->count, other ? &g->holds[other->first] : NULL,
			  other ? other->count : 0, item->server ? GRAPH_SINK : GRAPH_SOURCE);
}

/* Whether lines between the processes do, rather than a node. */
static bool is_line(const struct linking *a)
{
	size_t sources = 0, sinks = 0, both = 0;

	for (size_t i = 0; i < a->nends; i++) {
		sources += (a->ends[i].ends & GRAPH_SOURCE) != 0;
		sinks += (a->ends[i].ends & GRAPH_SINK) != 0;
		both += a->ends[i].ends == (GRAPH_SOURCE | GRAPH_SINK);
	}
	/* Nobody is drawn to be connected to himself. */
	return sources * sinks > both && sources * sinks - both <= sources + sinks;
}

/* One line from who has the source to who has the sink. */
static int add_line(struct linking *a, const struct graph_hold *from, const struct graph_hold *to)
{
	const struct graph_item *item = &a->g->items[a->item];
	const struct channel *channel = graph_kind(a->g, item)->channel;
	bool mutual = from->ends == to->ends && from->ends == (GRAPH_SOURCE | GRAPH_SINK);
	struct graph_link link = { .from = graph_process_node(a->g, from->process),
				   .to = graph_process_node(a->g, to->process),
				   .roles = from->roles | to->roles,
				   .relation = GRAPH_CONNECTS,
				   .direction = GRAPH_FORWARD };

	if (mutual || (channel->duplex && !item->known))
		link.direction = GRAPH_BOTH;
	/* What has no direction is to look the same from both ends. */
	if (link.direction == GRAPH_BOTH && link.from > link.to) {
		link.from = graph_process_node(a->g, to->process);
		link.to = graph_process_node(a->g, from->process);
		link.turned = true;
	}
	return graph_add_link(a, &link);
}

static int add_lines(struct linking *a)
{
	int e = 0;

	for (size_t i = 0; i < a->nends; i++) {
		const struct graph_hold *from = &a->ends[i];

		for (size_t k = 0; from->ends & GRAPH_SOURCE && e == 0 && k < a->nends; k++) {
			const struct graph_hold *to = &a->ends[k];
			/* Two that both have both ends meet twice here. */
			bool again = from->ends & to->ends & GRAPH_SINK && to->ends & GRAPH_SOURCE && i > k;

			if (to->ends & GRAPH_SINK && i != k && !again)
				e = add_line(a, from, to);
		}
	}
	return e;
}

/* Whether a state says that nobody will come back to it for all that is known. */
static bool is_left_behind(const struct graph_item *item)
{
	return span_is(item->state, "orphaned") || span_is(item->state, "stale") ||
	       span_is(item->state, "idle");
}

/* Processes that have it or wait for it. */
static size_t count_processes(const struct linking *a, const struct graph_item *item)
{
	const struct graph_wait *waits = &a->g->waits[item->first_wait];
	size_t i = 0, k = 0, n = 0;

	while (i < a->nends || k < item->nwaits) {
		uint32_t hold = i < a->nends ? a->ends[i].process : UINT32_MAX;
		uint32_t wait = k < item->nwaits ? waits[k].process : UINT32_MAX;
		uint32_t process = hold < wait ? hold : wait;

		while (i < a->nends && a->ends[i].process == process)
			i++;
		while (k < item->nwaits && waits[k].process == process)
			k++;
		n++;
	}
	return n;
}

/* The object at the other end, if this one stands for both; or NULL. */
static struct graph_item *other_end(const struct graph *g, const struct graph_item *item)
{
	struct graph_item *other = item->other == GRAPH_NOTHING ? NULL : &g->items[item->other];
	bool mutual = other && other->other != GRAPH_NOTHING && &g->items[other->other] == item;

	return mutual ? other : NULL;
}

static bool is_awaited(const struct graph *g, const struct graph_item *item)
{
	const struct graph_item *other = other_end(g, item);

	return item->nwaits > 0 || (other && other->nwaits > 0);
}

/* What one process has in common with this very program alone, such as the pipe to dot(1). */
static bool is_our_own(const struct linking *a, const struct graph_item *item)
{
	const struct graph_item *other = other_end(a->g, item);

	return (item->own || (other && other->own)) && a->nends < 2;
}

/* A file that several have mapped for reading, such as a cache of fonts, connects nobody. */
static bool is_unwritten(const struct linking *a, const struct graph_item *item)
{
	const struct kind *k = graph_kind(a->g, item);
	uint8_t access = 0;

	for (size_t i = 0; i < a->nends; i++)
		access |= a->ends[i].access;
	return k->groups & GROUP_MEMORY && !(k->groups & GROUP_PERSISTENT) && access == GRAPH_READS;
}

/* Where an object is counted that is not drawn; NULL: it is a node. */
static uint64_t *reason_to_leave(const struct linking *a, const struct graph_item *item)
{
	struct graph *g = a->g;
	struct graph_left *left = &g->left[item->kind];
	bool persistent = graph_kind(g, item)->groups & GROUP_PERSISTENT;
	size_t processes = count_processes(a, item);

	if (g->all || is_awaited(g, item) || (persistent && is_left_behind(item)))
		return NULL;
	if (processes < 2)
		return processes ? &left->alone : &left->unheld;
	return is_unwritten(a, item) ? &left->unwritten : NULL;
}

/* As a line, as a node, or not at all. 0 or -ENOMEM. */
static int choose(struct linking *a)
{
	struct graph *g = a->g;
	struct graph_item *item = &g->items[a->item];
	const struct kind *k = graph_kind(g, item);
	uint64_t *left;
	int e = 0;

	a->nends = 0;
	if (k->channel)
		e = collect_ends(a);
	for (size_t i = 0; !k->channel && e == 0 && i < item->count; i++)
		e = add_end(a, &g->holds[item->first + i], 0);
	if (e < 0)
		return e;
	item->as_line = k->channel && is_line(a);
	if (item->as_line)
		return 0;
	left = reason_to_leave(a, item);
	item->as_node = left == NULL;
	/* With a pid, only what that process has is worth a word; what others are connected to is seen. */
	if (left && !item->heard && !is_our_own(a, item) &&
	    (!g->pid || (a->nends > 0 && g->processes[a->ends[0].process].pid == g->pid)))
		++*left;
	return 0;
}

/* Which way bytes can go between a process and an object. */
static void direct(struct graph_link *link, uint32_t process, uint32_t node, bool reads, bool writes)
{
	link->from = reads && !writes ? node : process;
	link->to = reads && !writes ? process : node;
	link->direction = reads && writes ? GRAPH_BOTH : reads || writes ? GRAPH_FORWARD : GRAPH_NEITHER;
}

static int add_use(struct linking *a, const struct graph_hold *hold)
{
	const struct graph_item *item = &a->g->items[a->item];
	const struct kind *k = graph_kind(a->g, item);
	struct graph_link link = { .relation = GRAPH_USES, .roles = hold->roles };
	uint32_t process = graph_process_node(a->g, hold->process);
	uint64_t key = graph_pair(a->item, hold->process);

	if (k->groups & GROUP_LOCK)
		return graph_add_held_by(a, hold->process, hold->roles, (struct graph_doom){ 0 });
	/* Whoever waits for a lock in memory, or has it, must have that memory: the one line says it. */
	if (k->excludes && (hash_find(&a->held, key, NULL) || hash_find(&a->busy, key, NULL)))
		return 0;
	if (k->channel && k->channel->source)
		direct(&link, process, a->item, hold->ends & GRAPH_SINK || (k->channel->duplex && hold->ends),
		       hold->ends & GRAPH_SOURCE || (k->channel->duplex && hold->ends));
	else
		direct(&link, process, a->item, hold->access & GRAPH_READS, hold->access & GRAPH_WRITES);
	return graph_add_link(a, &link);
}

static int link_item(struct linking *a)
{
	struct graph *g = a->g;
	struct graph_item *item = &g->items[a->item];
	int e = choose(a);

	if (e == 0 && is_our_own(a, item)) {
		item->as_node = false;
		return 0;
	}
	if (e == 0)
		e = graph_note_busy(a, item);
	if (e == 0)
		e = graph_note_busy(a, other_end(g, item));
	if (e == 0 && item->as_line)
		e = add_lines(a);
	if (e == 0 && item->as_node && item->owner != GRAPH_NOTHING)
		e = graph_add_held_by(a, item->owner, 0, (struct graph_doom){ 0 });
	if (e == 0)
		e = graph_draw_waits(a, item);
	if (e == 0)
		e = graph_draw_waits(a, other_end(g, item));
	for (size_t i = 0; e == 0 && item->as_node && !item->as_line && i < a->nends; i++)
		e = add_use(a, &a->ends[i]);
	return e;
}

int graph_link(struct graph *g, const struct wait_graph *waits)
{
	struct linking a = { .g = g, .waits = waits };
	int e = graph_note_cycles(&a);

	for (size_t i = 0; e == 0 && i < g->nitems; i++) {
		a.item = (uint32_t)i;
		if (g->items[i].passes && !g->items[i].met)
			e = link_item(&a);
	}
	free(a.ends);
	hash_free(&a.cycles);
	hash_free(&a.held);
	hash_free(&a.busy);
	return e;
}
