/* SPDX-License-Identifier: MIT */
/*
 * What lies around one process: a step leads to whoever is at the other end of one of its lines, or
 * has one of its objects too. Drawn are the lines of the steps, and not those between others.
 */
#include <errno.h>

#include "cmd/graphmodel.h"

#define FAR UINT64_MAX

struct reach {
	struct graph *g;
	size_t nnodes;
	size_t *first;	/* of each node: where its lines begin in `lines` */
	size_t *lines;	/* numbers of links, each twice */
	uint64_t *away; /* steps to each node */
	uint32_t *queue;
	size_t begin, end;
	bool *kept; /* of each link */
};

static uint32_t far_end(const struct graph_link *link, uint32_t node)
{
	return link->from == node ? link->to : link->from;
}

/* The lines of each node, by counting. */
static void index_lines(struct reach *r)
{
	const struct graph *g = r->g;

	for (size_t i = 0; i < g->nlinks; i++) {
		r->first[g->links[i].from]++;
		r->first[g->links[i].to]++;
	}
	/* First where those of each end; filled from the back, that becomes where they begin. */
	for (size_t i = 1; i <= r->nnodes; i++)
		r->first[i] += r->first[i - 1];
	for (size_t i = g->nlinks; i-- > 0;) {
		r->lines[--r->first[g->links[i].from]] = i;
		r->lines[--r->first[g->links[i].to]] = i;
	}
}

static void meet(struct reach *r, uint32_t node, uint64_t away)
{
	if (r->away[node] != FAR)
		return;
	r->away[node] = away;
	r->queue[r->end++] = node;
}

/* Nodes come in the order of their steps, an object with those who are a step further. */
static void walk(struct reach *r)
{
	const struct graph *g = r->g;

	while (r->begin < r->end) {
		uint32_t node = r->queue[r->begin++];
		bool process = graph_is_process(g, node);

		if (process && r->away[node] >= g->depth)
			continue;
		for (size_t i = r->first[node]; i < r->first[node + 1]; i++) {
			r->kept[r->lines[i]] = true;
			meet(r, far_end(&g->links[r->lines[i]], node), r->away[node] + process);
		}
	}
}

/* Drops what was not met. */
static void keep(struct reach *r)
{
	struct graph *g = r->g;
	size_t n = 0;

	for (size_t i = 0; i < g->nlinks; i++)
		if (r->kept[i])
			g->links[n++] = g->links[i];
	g->nlinks = n;
	for (size_t i = 0; i < g->nitems; i++)
		g->items[i].as_node &= r->away[i] != FAR;
}

int graph_reach(struct graph *g)
{
	struct reach r = { .g = g };
	uint32_t start;
	int e = 0;

	if (!g->pid)
		return 0;
	start = graph_process_of(g, (uint32_t)g->pid);
	if (start == GRAPH_NOTHING)
		return -ENOMEM;
	r.nnodes = g->nitems + g->nprocesses;
	r.first = calloc(r.nnodes + 1, sizeof(*r.first));
	r.lines = calloc(2 * g->nlinks + 1, sizeof(*r.lines));
	r.away = calloc(r.nnodes, sizeof(*r.away));
	r.queue = calloc(r.nnodes, sizeof(*r.queue));
	r.kept = calloc(g->nlinks + 1, sizeof(*r.kept));
	if (r.first && r.lines && r.away && r.queue && r.kept) {
		memset(r.away, 0xff, r.nnodes * sizeof(*r.away));
		index_lines(&r);
		meet(&r, graph_process_node(g, start), 0);
		walk(&r);
		keep(&r);
	} else {
		e = -ENOMEM;
	}
	free(r.first);
	free(r.lines);
	free(r.away);
	free(r.queue);
	free(r.kept);
	return e;
}
