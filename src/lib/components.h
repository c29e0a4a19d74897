/* SPDX-License-Identifier: MIT */
/*
 * Strongly connected components of a directed graph: sets of nodes each of which can be reached
 * from each (Tarjan, "Depth-first search and linear graph algorithms", 1972). Linear in nodes and
 * edges, but for the sort.
 */
#pragma once

#include "lib/base.h"

/* Nodes are numbered from 0. */
struct edge {
	size_t from, to;
};

/* Orders the edges by where they begin; those of node N are [first[N], first[N + 1]). first: room
 * for nnodes + 1 numbers. */
void edges_index(struct edge *edges, size_t nedges, size_t *first, size_t nnodes);
/* Tells each node the number of its component, from 1. edges, first: of edges_index(). 0 or -ENOMEM. */
int components_find(const struct edge *edges, const size_t *first, size_t nnodes,
		    size_t *numbers) _must_check_;
