/* SPDX-License-Identifier: MIT */
/*
 * Mermaid flowcharts. Its grammar has surprises even within quotes (directives, Markdown, HTML), so
 * that of ASCII only what is certain to mean nothing is written as it is: everything else is an
 * entity with the number of the character, in the spelling that Mermaid wants.
 */
#include "cmd/graphdraw.h"
#include "cmd/graphlabel.h"

/* What stands around the text of a node. */
static const char *const shapes[][2] = {
	[GRAPH_PROCESS] = { "(", ")" },	  [GRAPH_MEMORY] = { "[(", ")]" }, [GRAPH_LOCK] = { "{{", "}}" },
	[GRAPH_CHANNEL] = { "([", "])" }, [GRAPH_OTHER] = { "[", "]" },
};

static bool is_harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c & 0x80 ||
	       strchr(" ./:,+-_?", c);
}

static void put_quoted(struct buf *out, const struct buf *text)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < text->len; i++) {
		char c = text->data[i];

		/* Two dashes could be taken for a line. */
		if (c == '\n')
			buf_puts(out, "<br/>");
		else if (is_harmless(c) && !(c == '-' && i > 0 && text->data[i - 1] == '-'))
			buf_putc(out, c);
		else
			buf_printf(out, "#%u;", (unsigned)(unsigned char)c);
	}
	buf_putc(out, '"');
	out->failed |= text->failed;
}

static void draw_node(const struct graph *g, uint32_t node, struct buf *text, struct buf *out)
{
	const char *const *shape = shapes[graph_shape(g, node)];

	buf_reset(text);
	graph_node_label(g, node, text);
	buf_printf(out, "    n%u%s", graph_id(g, node), shape[0]);
	put_quoted(out, text);
	buf_printf(out, "%s:::%s\n", shape[1], graph_class_styles[graph_color(g, node)].name);
}

static void draw_edge(const struct graph *g, const struct graph_edge *edge, struct buf *text, struct buf *out)
{
	static const char *const arrows[] = {
		[GRAPH_NEITHER] = "---", [GRAPH_FORWARD] = "-->", [GRAPH_BOTH] = "<-->"
	};
	const struct graph_link *link = &g->links[edge->first];

	buf_reset(text);
	graph_edge_label(g, edge, text);
	buf_printf(out, "    n%u %s", graph_id(g, link->from),
		   link->relation == GRAPH_WAITS ? "-.->" : arrows[link->direction]);
	if (text->len > 0) {
		buf_putc(out, '|');
		put_quoted(out, text);
		buf_putc(out, '|');
	}
	buf_printf(out, " n%u\n", graph_id(g, link->to));
}

static void draw_clusters(const struct graph *g, struct buf *text, struct buf *out)
{
	uint32_t last = 0;

	for (size_t i = 0; i < g->nodes; i++) {
		uint32_t node = g->grouped[i], cluster = graph_cluster(g, node);

		if (cluster != last && last)
			buf_puts(out, "    end\n");
		if (cluster != last && cluster) {
			buf_reset(text);
			graph_cluster_label(&g->clusters[cluster - 1], text);
			buf_printf(out, "    subgraph c%u[", cluster);
			put_quoted(out, text);
			buf_puts(out, "]\n");
		}
		last = cluster;
		draw_node(g, node, text, out);
	}
	if (last)
		buf_puts(out, "    end\n");
}

/* Lines that are part of a deadlock, by their positions. */
static void color_lines(const struct graph *g, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nedges; i++)
		if (g->links[g->edges[i].first].doom.verdict != WAIT_GOES_ON)
			buf_printf(out, "%s%zu", n++ ? "," : "    linkStyle ", i);
	if (n > 0)
		buf_puts(out, " stroke:#b30000,color:#b30000,stroke-width:3px\n");
}

void graph_draw_mermaid(const struct graph *g, bool complete, struct buf *out)
{
	struct buf text = { 0 };

	buf_puts(out, "flowchart LR\n");
	graph_put_remarks(g, complete, "    %% ", out);
	for (size_t i = 0; i < GRAPH_CLASSES; i++)
		buf_printf(out, "    classDef %s fill:%s,stroke:%s,color:#111111\n",
			   graph_class_styles[i].name, graph_class_styles[i].fill,
			   graph_class_styles[i].stroke);
	draw_clusters(g, &text, out);
	for (size_t i = 0; i < g->nedges; i++)
		draw_edge(g, &g->edges[i], &text, out);
	color_lines(g, out);
	out->failed |= text.failed;
	buf_free(&text);
}
