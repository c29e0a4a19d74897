/* SPDX-License-Identifier: MIT */
/* Nodes and lines of a graph as records, for JSON. */
#pragma once

#include "cmd/graphmodel.h"

extern const struct schema graph_node_schema, graph_edge_schema, graph_left_schema;

/* Fill a clear record. 0 or -ENOMEM. */
int graph_node_project(const struct graph *g, uint32_t node, struct record *r) _must_check_;
int graph_edge_project(const struct graph *g, const struct graph_edge *edge, struct record *r) _must_check_;
/* Why something is not drawn. */
#define GRAPH_REASONS 4

/* Row i of what was left out: one for each kind and reason. PROJECT_SKIP: there is none. */
int graph_left_project(const struct graph *g, size_t i, struct record *r) _must_check_;
