/* SPDX-License-Identifier: MIT */
/* Processes of one command that are connected in the same way, such as the workers of a server, as one. */
#include <errno.h>

#include "cmd/graphmodel.h"

/* One line, as a process sees it. */
struct sight {
	uint32_t process;
	uint32_t other; /* node at the other end */
	uint32_t what;	/* kind, relation, direction and whether it leads away, in one number */
};

struct grouping {
	struct graph *g;
	struct sight *sights; /* ordered by process, then alike for those who see the same */
	size_t nsights;
	size_t *first; /* of each process, and behind the last: all */
};

static void add_sight(struct grouping *a, const struct graph_link *link, uint32_t node, uint32_t other)
{
	const struct graph *g = a->g;
	bool leads;

	if (!graph_is_process(g, node))
		return;
	/* What goes both ways leads away from neither. */
	leads = node == link->from && link->direction == GRAPH_FORWARD;
	a->sights[a->nsights++] =
		(struct sight){ .process = node - (uint32_t)g->nitems,
				.other = other,
				.what = (uint32_t)g->items[link->item].kind << 8 | link->relation << 4 |
					link->direction << 1 | leads };
}

static int compare_sights(const void *pa, const void *pb)
{
	const struct sight *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->other != b->other)
		return a->other < b->other ? -1 : 1;
	return (a->what > b->what) - (a->what < b->what);
}

static int look_around(struct grouping *a)
{
	const struct graph *g = a->g;

	a->sights = calloc(2 * g->nlinks + 1, sizeof(*a->sights));
	a->first = calloc(g->nprocesses + 1, sizeof(*a->first));
	if (!a->sights || !a->first)
		return -ENOMEM;
	for (size_t i = 0; i < g->nlinks; i++) {
		add_sight(a, &g->links[i], g->links[i].from, g->links[i].to);
		add_sight(a, &g->links[i], g->links[i].to, g->links[i].from);
	}
	if (a->nsights > 1)
		qsort(a->sights, a->nsights, sizeof(*a->sights), compare_sights);
	for (size_t i = 0; i < a->nsights; i++)
		a->first[a->sights[i].process + 1] = i + 1;
	for (size_t i = 1; i <= g->nprocesses; i++)
		if (a->first[i] < a->first[i - 1])
			a->first[i] = a->first[i - 1];
	return 0;
}

static uint64_t look_of(const struct grouping *a, uint32_t p)
{
	const struct graph_process *process = &a->g->processes[p];
	uint64_t look = hash_bytes(process->command) ^ process->cluster;

	for (size_t i = a->first[p]; i < a->first[p + 1]; i++) {
		look = look * 0x100000001b3u ^ a->sights[i].other;
		look = look * 0x100000001b3u ^ a->sights[i].what;
	}
	return look;
}

static bool same_process(const struct grouping *a, uint32_t p, uint32_t q)
{
	const struct graph_process *one = &a->g->processes[p], *other = &a->g->processes[q];
	const struct sight *here = &a->sights[a->first[p]], *there = &a->sights[a->first[q]];
	size_t n = a->first[p + 1] - a->first[p];

	if (!span_eq(one->command, other->command) || !span_eq(one->user, other->user) ||
	    one->cluster != other->cluster || a->first[q + 1] - a->first[q] != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (here[i].other != there[i].other || here[i].what != there[i].what)
			return false;
	return true;
}

/* Whether a process may be one of many: not the one that was asked for, nor one in a deadlock. */
static bool is_common(const struct graph *g, const struct graph_process *p)
{
	return p->told && p->doom.verdict == WAIT_GOES_ON && p->pid != g->pid;
}

static void join(struct graph *g, uint32_t p, uint32_t to)
{
	struct graph_process *process = &g->processes[p], *first = &g->processes[to];

	process->like = to + 1;
	process->id = 0;
	first->alike++;
	g->processes[first->last ? first->last - 1 : to].next = p + 1;
	first->last = p + 1;
}

/* Who stands for a node. */
static uint32_t stand_in(const struct graph *g, uint32_t node)
{
	if (graph_is_process(g, node) && graph_process_at(g, node)->like)
		return graph_process_node(g, graph_process_at(g, node)->like - 1);
	return node;
}

/* Lines go to whoever stands for the others; what is not drawn any more leaves no gap. */
static void close_ranks(struct graph *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nlinks; i++) {
		struct graph_link *link = &g->links[i];
		uint32_t from = stand_in(g, link->from), to = stand_in(g, link->to);
		bool turn = link->relation == GRAPH_CONNECTS && link->direction == GRAPH_BOTH && from > to;

		link->from = turn ? to : from;
		link->to = turn ? from : to;
		link->turned ^= turn;
	}
	for (size_t i = 0; i < g->nodes; i++) {
		uint32_t node = g->order[i];

		if (graph_id(g, node) == 0)
			continue;
		g->order[n++] = node;
		*(graph_is_process(g, node) ? &graph_process_at(g, node)->id : &g->items[node].id) =
			(uint32_t)n;
	}
	g->nodes = n;
}

int graph_group(struct graph *g)
{
	struct grouping a = { .g = g };
	struct hash looks = { 0 };
	int e = look_around(&a);

	for (size_t i = 0; e == 0 && i < g->nodes && graph_is_process(g, g->order[i]); i++) {
		uint32_t p = g->order[i] - (uint32_t)g->nitems;
		const struct hash_slot *slot;
		uint64_t look;

		if (!is_common(g, &g->processes[p]))
			continue;
		look = look_of(&a, p);
		slot = hash_find(&looks, look, NULL);
		while (slot && !same_process(&a, slot->value, p))
			slot = hash_find(&looks, look, slot);
		if (slot)
			join(g, p, slot->value);
		else
			e = hash_add(&looks, look, p);
	}
	if (e == 0)
		close_ranks(g);
	hash_free(&looks);
	free(a.sights);
	free(a.first);
	return e;
}
