/* SPDX-License-Identifier: MIT */
/*
 * What is written to nodes and lines, for any form of picture. The texts are escaped as all output
 * is; their lines are separated by newlines, which nothing in them can be.
 */
#pragma once

#include "cmd/graphmodel.h"

/* What a node looks like. */
enum graph_class {
	GRAPH_PROCESS,
	GRAPH_MEMORY,
	GRAPH_LOCK,
	GRAPH_CHANNEL, /* one that is no line */
	GRAPH_OTHER,
	GRAPH_IDLE,
	GRAPH_STALE,
	GRAPH_ORPHANED,
	GRAPH_DOOMED,
	GRAPH_CLASSES,
};

struct graph_class_style {
	const char *name, *fill, *stroke;
};

extern const struct graph_class_style graph_class_styles[GRAPH_CLASSES];

/* What the node is, and how it is coloured: the same unless its state deserves attention. */
enum graph_class graph_shape(const struct graph *g, uint32_t node);
enum graph_class graph_color(const struct graph *g, uint32_t node);
/* The colour of a line. */
const char *graph_edge_color(const struct graph_link *link);

void graph_node_label(const struct graph *g, uint32_t node, struct buf *b);
/* What there is no room for on the node. */
void graph_node_tip(const struct graph *g, uint32_t node, struct buf *b);
/* Empty where the line speaks for itself. */
void graph_edge_label(const struct graph *g, const struct graph_edge *edge, struct buf *b);
void graph_edge_tip(const struct graph *g, const struct graph_edge *edge, struct buf *b);
void graph_cluster_label(const struct graph_cluster *cluster, struct buf *b);
/* What was left out and put together, a line each; empty: nothing. */
void graph_remarks(const struct graph *g, struct buf *b);
/* The same behind the mark of a comment, with how much is drawn and whether it is complete. */
void graph_put_remarks(const struct graph *g, bool complete, const char *mark, struct buf *out);
