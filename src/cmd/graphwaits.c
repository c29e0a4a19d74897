/* SPDX-License-Identifier: MIT */
/* Who waits for the objects of a graph, and the lines for that. */
#include <errno.h>

#include "cmd/graphlinks.h"
#include "lib/vec.h"

static int compare_waits(const void *pa, const void *pb)
{
	const struct graph_wait *a = pa, *b = pb;

	if (a->item != b->item)
		return a->item < b->item ? -1 : 1;
	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->wait > b->wait) - (a->wait < b->wait);
}

/* A process that is without hope anywhere is shown so. */
static void doom(struct graph_process *p, const struct wait *w)
{
	if (w->verdict != WAIT_GOES_ON && p->doom.verdict == WAIT_GOES_ON)
		p->doom = (struct graph_doom){ w->verdict, w->cycle };
}

static int add_wait(struct graph *g, const struct wait_graph *waits, size_t i)
{
	const struct wait *w = &waits->waits[i];
	const struct awaited *o = &waits->objects[w->object];
	uint32_t item = o->asked ? graph_item_of(g, o->ref) : GRAPH_NOTHING;
	uint32_t process;

	if (item == GRAPH_NOTHING || !g->items[item].passes)
		return 0;
	/* Whoever polls is no more blocked than somebody who listens for the bell. */
	if (w->among && !g->all) {
		g->left[g->items[item].kind].polled += !g->pid || g->pid == w->pid;
		return 0;
	}
	process = graph_process_of(g, w->pid);
	if (process == GRAPH_NOTHING || vec_reserve(&g->waits, g->nwaits, sizeof(*g->waits)) < 0)
		return -ENOMEM;
	doom(&g->processes[process], w);
	g->waits[g->nwaits++] = (struct graph_wait){ item, process, i };
	return 0;
}

int graph_add_waits(struct graph *g, const struct wait_graph *waits)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < waits->nwaits; i++)
		e = add_wait(g, waits, i);
	if (e == 0 && g->nwaits > 1)
		qsort(g->waits, g->nwaits, sizeof(*g->waits), compare_waits);
	for (size_t i = 0; e == 0 && i < g->nwaits; i++) {
		struct graph_item *item = &g->items[g->waits[i].item];

		if (item->nwaits++ == 0)
			item->first_wait = i;
	}
	return e;
}

int graph_add_link(struct linking *a, const struct graph_link *link)
{
	struct graph *g = a->g;

	if (vec_reserve(&g->links, g->nlinks, sizeof(*link)) < 0)
		return -ENOMEM;
	g->links[g->nlinks] = *link;
	g->links[g->nlinks++].item = a->item;
	return 0;
}

int graph_add_held_by(struct linking *a, uint32_t process, uint32_t roles, struct graph_doom doom)
{
	uint64_t key = graph_pair(a->item, process);
	const struct hash_slot *slot = hash_find(&a->held, key, NULL);
	struct graph_link link = { .from = a->item,
				   .to = graph_process_node(a->g, process),
				   .roles = roles,
				   .relation = GRAPH_HELD_BY,
				   .direction = GRAPH_FORWARD,
				   .doom = doom };

	if (slot) {
		if (doom.verdict != WAIT_GOES_ON)
			a->g->links[slot->value].doom = doom;
		return 0;
	}
	if (hash_add(&a->held, key, (uint32_t)a->g->nlinks) < 0)
		return -ENOMEM;
	return graph_add_link(a, &link);
}

/* A wait and what may end it. */
struct ending {
	struct linking *a;
	const struct wait *wait;
	struct graph_doom doom;
	uint32_t process; /* that waits */
	uint64_t tasks;
	size_t count; /* of those who may end it */
	bool lines;   /* lines go to those, and not to the object */
};

/* Those who may end a wait of a circle, and wait in it as well, are part of it. */
static struct graph_doom doom_of(const struct ending *e, uint32_t process)
{
	if (e->doom.cycle && hash_find(&e->a->cycles, graph_pair(process, e->doom.cycle), NULL))
		return e->doom;
	return (struct graph_doom){ 0 };
}

static int visit_releaser(void *data, const struct releaser *r)
{
	struct ending *e = data;
	uint32_t process = graph_process_of(e->a->g, r->pid);

	if (process == GRAPH_NOTHING)
		return -ENOMEM;
	if (process == e->a->g->self)
		return 0;
	e->count++;
	if (e->lines)
		return graph_add_link(e->a,
				      &(struct graph_link){ .from = graph_process_node(e->a->g, e->process),
							    .to = graph_process_node(e->a->g, process),
							    .relation = GRAPH_WAITS,
							    .direction = GRAPH_FORWARD,
							    .waits = e->tasks,
							    .doom = e->doom });
	if (r->why == RELEASE_OTHER_END || r->why == RELEASE_SHARES)
		return 0;
	return graph_add_held_by(e->a, process, 0, doom_of(e, process));
}

/* The waits of one process for one end of the object, from the i-th on. The number of the next, or -ENOMEM.
 */
static int64_t add_waits_of(struct linking *a, const struct graph_item *awaited, size_t i)
{
	struct graph *g = a->g;
	struct graph_item *item = &g->items[a->item];
	const struct graph_wait *waits = &g->waits[awaited->first_wait];
	struct ending e = { .a = a, .process = waits[i].process, .lines = item->as_line };
	size_t end = i;
	int r = 0;

	for (; end < awaited->nwaits && waits[end].process == e.process; end++) {
		const struct wait *w = &a->waits->waits[waits[end].wait];

		if (w->verdict != WAIT_GOES_ON && e.doom.verdict == WAIT_GOES_ON)
			e.doom = (struct graph_doom){ w->verdict, w->cycle };
	}
	e.tasks = end - i;
	for (size_t k = i; r == 0 && k < (e.lines ? i + 1 : end); k++) {
		e.wait = &a->waits->waits[waits[k].wait];
		/* Who may end it is the same for all who wait, unless it is told of each. */
		if (k == 0 || e.lines || e.doom.cycle || a->waits->objects[e.wait->object].count == 0)
			r = wait_each_releaser(a->waits, e.wait, visit_releaser, &e);
	}
	if (r == 0 && (!e.lines || e.count == 0)) {
		item->as_node = true;
		r = graph_add_link(a, &(struct graph_link){ .from = graph_process_node(g, e.process),
							    .to = a->item,
							    .relation = GRAPH_WAITS,
							    .direction = GRAPH_FORWARD,
							    .waits = e.tasks,
							    .doom = e.doom });
	}
	return r < 0 ? r : (int64_t)end;
}

int graph_draw_waits(struct linking *a, const struct graph_item *awaited)
{
	int64_t next = 0;

	for (size_t i = 0; awaited && next >= 0 && i < awaited->nwaits; i = (size_t)next)
		next = add_waits_of(a, awaited, i);
	return next < 0 ? (int)next : 0;
}

int graph_note_busy(struct linking *a, const struct graph_item *awaited)
{
	const struct graph_wait *waits = awaited ? &a->g->waits[awaited->first_wait] : NULL;
	int e = 0;

	for (size_t i = 0; awaited && e == 0 && i < awaited->nwaits; i++)
		if (i == 0 || waits[i].process != waits[i - 1].process)
			e = hash_add(&a->busy, graph_pair(a->item, waits[i].process), 1);
	return e;
}

int graph_note_cycles(struct linking *a)
{
	const struct graph *g = a->g;
	int e = 0;

	for (size_t i = 0; e == 0 && i < g->nwaits; i++) {
		const struct wait *w = &a->waits->waits[g->waits[i].wait];

		if (w->cycle)
			e = hash_add(&a->cycles, graph_pair(g->waits[i].process, w->cycle), 1);
	}
	return e;
}
