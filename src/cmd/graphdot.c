/* SPDX-License-Identifier: MIT */
/*
 * DOT, the language of Graphviz. Every text stands in quotes. In these dot(1) knows backslash
 * sequences, and entities such as &lt;, so that both of their first characters are written as what
 * stands for them. Nodes have names of our own.
 */
#include "cmd/graphdraw.h"
#include "cmd/graphlabel.h"

static const char *const shapes[] = {
	[GRAPH_PROCESS] = "box",     [GRAPH_MEMORY] = "cylinder", [GRAPH_LOCK] = "hexagon",
	[GRAPH_CHANNEL] = "ellipse", [GRAPH_OTHER] = "box3d",
};

static void put_attribute(struct buf *out, const char *name, const struct buf *text)
{
	buf_printf(out, "%s=\"", name);
	for (size_t i = 0; i < text->len; i++) {
		switch (text->data[i]) {
		case '\n':
			buf_puts(out, "\\n");
			break;
		case '"':
		case '\\':
			buf_putc(out, '\\');
			buf_putc(out, text->data[i]);
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		default:
			buf_putc(out, text->data[i]);
		}
	}
	buf_putc(out, '"');
	out->failed |= text->failed;
}

static void draw_node(const struct graph *g, uint32_t node, struct buf *text, struct buf *out)
{
	const struct graph_class_style *style = &graph_class_styles[graph_color(g, node)];
	bool doomed = graph_color(g, node) == GRAPH_DOOMED;

	buf_printf(out, "\tn%u [", graph_id(g, node));
	buf_reset(text);
	graph_node_label(g, node, text);
	put_attribute(out, "label", text);
	buf_reset(text);
	graph_node_tip(g, node, text);
	put_attribute(out, ", tooltip", text);
	buf_printf(out, ", shape=%s, style=\"filled%s\", fillcolor=\"%s\", color=\"%s\"%s];\n",
		   shapes[graph_shape(g, node)], graph_is_process(g, node) ? ",rounded" : "", style->fill,
		   style->stroke, doomed ? ", penwidth=2" : "");
}

static void draw_edge(const struct graph *g, const struct graph_edge *edge, struct buf *text, struct buf *out)
{
	static const char *const directions[] = {
		[GRAPH_NEITHER] = "none", [GRAPH_FORWARD] = "forward", [GRAPH_BOTH] = "both"
	};
	const struct graph_link *link = &g->links[edge->first];
	const char *color = graph_edge_color(link);
	bool waits = link->relation == GRAPH_WAITS;

	buf_printf(out, "\tn%u -> n%u [", graph_id(g, link->from), graph_id(g, link->to));
	buf_reset(text);
	graph_edge_label(g, edge, text);
	if (text->len > 0) {
		put_attribute(out, "label", text);
		buf_puts(out, ", ");
	}
	buf_reset(text);
	graph_edge_tip(g, edge, text);
	put_attribute(out, "tooltip", text);
	put_attribute(out, ", labeltooltip", text);
	buf_printf(out, ", dir=%s, color=\"%s\", fontcolor=\"%s\"", directions[link->direction], color,
		   color);
	if (waits)
		buf_puts(out, ", style=dashed, arrowhead=vee");
	/* What only says who waits at the other end of a line must not turn the picture round. */
	if (waits && graph_is_process(g, link->to))
		buf_puts(out, ", constraint=false");
	if (link->doom.verdict != WAIT_GOES_ON)
		buf_puts(out, ", penwidth=2");
	buf_puts(out, "];\n");
}

static void draw_clusters(const struct graph *g, struct buf *text, struct buf *out)
{
	uint32_t last = 0;

	for (size_t i = 0; i < g->nodes; i++) {
		uint32_t node = g->grouped[i], cluster = graph_cluster(g, node);

		if (cluster != last && last)
			buf_puts(out, "\t}\n");
		if (cluster != last && cluster) {
			buf_printf(out, "\tsubgraph cluster_%u {\n\t", cluster);
			buf_reset(text);
			graph_cluster_label(&g->clusters[cluster - 1], text);
			put_attribute(out, "label", text);
			buf_puts(out, ";\n\tstyle=rounded;\n\tcolor=\"#8c8c8c\";\n");
		}
		last = cluster;
		draw_node(g, node, text, out);
	}
	if (last)
		buf_puts(out, "\t}\n");
}

void graph_draw_dot(const struct graph *g, bool complete, struct buf *out)
{
	struct buf text = { 0 };

	graph_put_remarks(g, complete, "// ", out);
	buf_puts(out,
		 "digraph ipcctl {\n"
		 "\tgraph [rankdir=LR, fontname=\"sans-serif\", fontsize=10, nodesep=0.3, ranksep=0.7];\n"
		 "\tnode [fontname=\"sans-serif\", fontsize=11, fontcolor=\"#111111\", "
		 "margin=\"0.12,0.06\"];\n"
		 "\tedge [fontname=\"sans-serif\", fontsize=9, arrowsize=0.7];\n");
	draw_clusters(g, &text, out);
	for (size_t i = 0; i < g->nedges; i++)
		draw_edge(g, &g->edges[i], &text, out);
	buf_puts(out, "}\n");
	out->failed |= text.failed;
	buf_free(&text);
}
