/* SPDX-License-Identifier: MIT */
/* Graphs of any processes and objects as DOT and Mermaid, against small readers of both. */
#include "cmd/graphdraw.h"
#include "fuzz.h"
#include "kind/registry.h"
#include "lib/parse.h"
#include "shown.h"

#define MOST_ITEMS 5
#define MOST_PROCESSES 5
#define MOST_EDGES 6

/* A graph that never was a listing. */
struct made {
	struct listing listing;
	struct graph graph;
	struct graph_item items[MOST_ITEMS];
	struct graph_process processes[MOST_PROCESSES];
	struct graph_link links[MOST_EDGES];
	struct graph_edge edges[MOST_EDGES];
	struct graph_cluster clusters[2];
	struct graph_left left[32];
	uint32_t order[MOST_ITEMS + MOST_PROCESSES];
};

static struct value take_amount(struct input *in)
{
	static const enum value_state states[] = { VALUE_ABSENT, VALUE_UNKNOWN, VALUE_SET, VALUE_SET };

	return (struct value){ .state = states[take_below(in, 4)], .u64 = take_number(in) };
}

static struct graph_doom take_doom(struct input *in)
{
	return (struct graph_doom){ (enum wait_verdict)take_below(in, WAIT_OWNER_DEAD + 1), take_byte(in) };
}

static void take_items(struct input *in, struct made *m)
{
	static const char *const states[] = { "in-use", "orphaned", "stale", "idle", "unknown", "" };
	struct graph *g = &m->graph;

	g->nitems = 1 + take_below(in, MOST_ITEMS);
	for (size_t i = 0; i < g->nitems; i++)
		m->items[i] =
			(struct graph_item){ .kind = take_below(in, m->listing.nkinds),
					     .ref = take_text(in),
					     .state = span_of(states[take_below(in, 6)]),
					     .reason = take_text(in),
					     .size = take_amount(in),
					     .like = (uint32_t)i,
					     .alike = (uint32_t)(1 + take_below(in, 3)),
					     .next = i + 1 < g->nitems ? (uint32_t)i + 1 : GRAPH_NOTHING,
					     .doomed = take_bool(in),
					     .cluster = (uint32_t)take_below(in, 3) };
}

static void take_processes(struct input *in, struct made *m)
{
	struct graph *g = &m->graph;

	g->nprocesses = 1 + take_below(in, MOST_PROCESSES);
	for (size_t i = 0; i < g->nprocesses; i++)
		m->processes[i] =
			(struct graph_process){ .pid = (uint32_t)take_number(in),
						.told = take_bool(in),
						.command = take_text(in),
						.user = take_text(in),
						.doom = take_doom(in),
						.cluster = (uint32_t)take_below(in, 3),
						.alike = (uint32_t)take_below(in, 3),
						.next = i + 1 < g->nprocesses ? (uint32_t)i + 2 : 0 };
}

static void take_edges(struct input *in, struct made *m)
{
	struct graph *g = &m->graph;
	size_t nodes = g->nitems + g->nprocesses;

	g->nlinks = g->nedges = take_below(in, MOST_EDGES + 1);
	for (size_t i = 0; i < g->nedges; i++) {
		m->links[i] = (struct graph_link){
			.from = (uint32_t)take_below(in, nodes),
			.to = (uint32_t)take_below(in, nodes),
			.item = (uint32_t)take_below(in, g->nitems),
			.roles = take_byte(in),
			.relation = (enum graph_relation)take_below(in, GRAPH_WAITS + 1),
			.direction = (enum graph_direction)take_below(in, GRAPH_BOTH + 1),
			.doom = take_doom(in),
		};
		m->edges[i] = (struct graph_edge){ .first = i,
						   .count = 1,
						   .queued = take_amount(in),
						   .queued_back = take_amount(in),
						   .capacity = take_amount(in),
						   .waits = take_number(in) };
	}
	if (g->nedges > 0)
		m->edges[0].count = g->nlinks;
}

/* Nodes of one cluster stand together. */
static void order_nodes(struct made *m)
{
	struct graph *g = &m->graph;

	for (uint32_t cluster = 0; cluster < 3; cluster++)
		for (uint32_t node = 0; node < g->nitems + g->nprocesses; node++) {
			if ((node < g->nitems ? m->items[node].cluster :
						m->processes[node - g->nitems].cluster) != cluster)
				continue;
			m->order[g->nodes++] = node;
			if (node < g->nitems)
				m->items[node].id = (uint32_t)g->nodes;
			else
				m->processes[node - g->nitems].id = (uint32_t)g->nodes;
		}
}

static void make(struct input *in, struct made *m)
{
	struct graph *g = &m->graph;

	*m = (struct made){ .listing = { .kinds = kinds } };
	while (kinds[m->listing.nkinds])
		m->listing.nkinds++;
	EXPECT(m->listing.nkinds <= ARRAY_SIZE(m->left));
	*g = (struct graph){ .l = &m->listing,
			     .items = m->items,
			     .processes = m->processes,
			     .links = m->links,
			     .edges = m->edges,
			     .clusters = m->clusters,
			     .left = m->left,
			     .order = m->order,
			     .grouped = m->order };
	g->nclusters = take_bool(in) ? 2 : 0;
	for (size_t i = 0; i < 2; i++)
		m->clusters[i] = (struct graph_cluster){ take_number(in), take_number(in) };
	m->left[0] = (struct graph_left){ take_byte(in), take_byte(in), take_byte(in), take_byte(in) };
	g->nroles = take_below(in, 4);
	for (size_t i = 0; i < g->nroles; i++)
		g->roles[i] = take_text(in);
	take_items(in, m);
	take_processes(in, m);
	take_edges(in, m);
	order_nodes(m);
}

/* Behind the quote that opens a text; in it dot(1) gives a meaning to backslashes and ampersands. */
static size_t read_dot_text(struct span s, size_t i)
{
	for (; i < s.len && s.ptr[i] != '"'; i++) {
		EXPECT(s.ptr[i] != '\n');
		if (s.ptr[i] == '\\')
			EXPECT(++i < s.len && strchr("n\"\\", s.ptr[i]));
		else if (s.ptr[i] == '&')
			EXPECT(span_starts(span_from(s, i), "&amp;"));
	}
	EXPECT(i < s.len);
	return i;
}

static void check_dot(struct span s)
{
	static const char plain[] = " \t\n,=;->_.#"
				    "0123456789"
				    "abcdefghijklmnopqrstuvwxyz"
				    "LRTB";
	char open[4];
	size_t depth = 0;
	struct span line;

	while (span_starts(s, "//"))
		EXPECT(next_line(&s, &line));
	EXPECT(span_starts(s, "digraph ipcctl {\n"));
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '"') {
			i = read_dot_text(s, i + 1);
		} else if (c == '{' || c == '[') {
			EXPECT(depth < sizeof(open) && (depth == 0 || open[depth - 1] == '{'));
			open[depth++] = c == '{' ? '{' : '[';
		} else if (c == '}' || c == ']') {
			EXPECT(depth > 0 && open[--depth] == (c == '}' ? '{' : '['));
		} else {
			EXPECT(c != '\0' && strchr(plain, c));
			EXPECT(c != '\n' || strchr(";{}", s.ptr[i - 1]));
		}
	}
	EXPECT(depth == 0);
}

/* Within quotes nothing but entities, line breaks and what is plain; without, names of ours and marks. */
static void check_mermaid_line(struct span line)
{
	static const char plain[] = " ./:,+-_?";
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		struct span rest = span_from(line, i);
		unsigned char c = (unsigned char)line.ptr[i];

		if (c == '"') {
			quoted = !quoted;
		} else if (quoted && c == '#') {
			while (++i < line.len && line.ptr[i] >= '0' && line.ptr[i] <= '9')
				;
			EXPECT(i < line.len && line.ptr[i] == ';');
		} else if (quoted && span_starts(rest, "<br/>")) {
			i += strlen("<br/>") - 1;
		} else if (quoted) {
			EXPECT(c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			       (c >= 'A' && c <= 'Z') || strchr(plain, c));
			EXPECT(!span_starts(rest, "--"));
		} else {
			EXPECT(c >= 0x20 && c < 0x7f);
		}
	}
	EXPECT(!quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool complete = take_bool(&in);
	static struct made made;
	struct buf dot = { 0 }, mermaid = { 0 };
	struct span rest, line;

	make(&in, &made);
	graph_draw_dot(&made.graph, complete, &dot);
	EXPECT(!dot.failed && is_shown(buf_span(&dot), "\t\n"));
	check_dot(buf_span(&dot));
	graph_draw_mermaid(&made.graph, complete, &mermaid);
	EXPECT(!mermaid.failed && is_shown(buf_span(&mermaid), "\n"));
	rest = buf_span(&mermaid);
	EXPECT(next_line(&rest, &line) && span_is(line, "flowchart LR"));
	while (next_line(&rest, &line))
		if (!span_starts(line, "    %%"))
			check_mermaid_line(line);
	buf_free(&dot);
	buf_free(&mermaid);
	return 0;
}
