/* SPDX-License-Identifier: MIT */
#include "lib/components.h"

#include <errno.h>

/* Of each node, as the algorithm goes. */
struct component {
	size_t order, low; /* order 0: not visited */
	size_t next_edge;
	bool on_stack;
};

/* What has to be kept on the way down, without recursion: chains may be long. */
struct walk_down {
	const struct edge *edges;
	const size_t *first_edge;
	struct component *components;
	size_t *numbers;
	size_t *path, npath;   /* nodes under way */
	size_t *stack, nstack; /* visited, and in no component yet */
	size_t order, count;
};

static int compare_edges(const void *pa, const void *pb)
{
	const struct edge *a = pa, *b = pb;

	return (a->from > b->from) - (a->from < b->from);
}

static void enter(struct walk_down *w, size_t node)
{
	struct component *c = &w->components[node];

	c->order = c->low = ++w->order;
	c->next_edge = w->first_edge[node];
	c->on_stack = true;
	w->path[w->npath++] = node;
	w->stack[w->nstack++] = node;
}

/* All below a node has been seen. */
static void leave(struct walk_down *w, size_t node)
{
	struct component *c = &w->components[node], *up;
	size_t other;

	w->npath--;
	if (w->npath > 0) {
		up = &w->components[w->path[w->npath - 1]];
		if (c->low < up->low)
			up->low = c->low;
	}
	if (c->low != c->order)
		return;
	w->count++;
	do {
		other = w->stack[--w->nstack];
		w->numbers[other] = w->count;
		w->components[other].on_stack = false;
	} while (other != node);
}

static void visit_all(struct walk_down *w, size_t nnodes)
{
	for (size_t start = 0; start < nnodes; start++) {
		if (w->components[start].order == 0)
			enter(w, start);
		while (w->npath > 0) {
			size_t node = w->path[w->npath - 1];
			struct component *c = &w->components[node], *to;

			if (c->next_edge == w->first_edge[node + 1]) {
				leave(w, node);
				continue;
			}
			to = &w->components[w->edges[c->next_edge++].to];
			if (to->order == 0)
				enter(w, (size_t)(to - w->components));
			else if (to->on_stack && to->order < c->low)
				c->low = to->order;
		}
	}
}

void edges_index(struct edge *edges, size_t nedges, size_t *first, size_t nnodes)
{
	if (nedges > 1)
		qsort(edges, nedges, sizeof(*edges), compare_edges);
	for (size_t node = 0, i = 0; node <= nnodes; node++) {
		while (i < nedges && edges[i].from < node)
			i++;
		first[node] = i;
	}
}

int components_find(const struct edge *edges, const size_t *first, size_t nnodes, size_t *numbers)
{
	struct walk_down w = { .edges = edges, .first_edge = first, .numbers = numbers };
	int e = -ENOMEM;

	w.components = calloc(nnodes + 1, sizeof(*w.components));
	w.path = calloc(nnodes + 1, sizeof(*w.path));
	w.stack = calloc(nnodes + 1, sizeof(*w.stack));
	if (w.components && w.path && w.stack) {
		visit_all(&w, nnodes);
		e = 0;
	}
	free(w.components);
	free(w.path);
	free(w.stack);
	return e;
}
