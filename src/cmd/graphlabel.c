/* SPDX-License-Identifier: MIT */
#include "cmd/graphlabel.h"

#include <inttypes.h>

#include "lib/escape.h"
#include "model/format.h"

/* References that stand on a node, and in a tooltip. */
#define MOST_NAMED 3
#define MOST_TOLD 20
/* Bytes of a name that is too long for a node: its beginning and its end. */
#define NAME_LONGEST 60
#define NAME_HEAD 40
#define NAME_TAIL 16

/* Black text is legible on each. */
const struct graph_class_style graph_class_styles[GRAPH_CLASSES] = {
	[GRAPH_PROCESS] = { "process", "#dceaf7", "#33587a" },
	[GRAPH_MEMORY] = { "memory", "#e3f1dc", "#4a7034" },
	[GRAPH_LOCK] = { "lock", "#ece4f3", "#62418a" },
	[GRAPH_CHANNEL] = { "channel", "#f2f2f2", "#5a5a5a" },
	[GRAPH_OTHER] = { "other", "#f2f2f2", "#5a5a5a" },
	[GRAPH_IDLE] = { "idle", "#fff3bf", "#8a6d00" },
	[GRAPH_STALE] = { "stale", "#ffe0b8", "#a05a00" },
	[GRAPH_ORPHANED] = { "orphaned", "#ffc9a8", "#b34700" },
	[GRAPH_DOOMED] = { "deadlock", "#ffd9d9", "#b30000" },
};

enum graph_class graph_shape(const struct graph *g, uint32_t node)
{
	const struct kind *k;

	if (graph_is_process(g, node))
		return GRAPH_PROCESS;
	k = graph_kind(g, &g->items[node]);
	return k->excludes || k->groups & GROUP_LOCK ? GRAPH_LOCK :
	       k->groups & GROUP_MEMORY		     ? GRAPH_MEMORY :
	       k->channel			     ? GRAPH_CHANNEL :
						       GRAPH_OTHER;
}

enum graph_class graph_color(const struct graph *g, uint32_t node)
{
	struct span state;

	if (graph_is_process(g, node))
		return graph_process_at(g, node)->doom.verdict != WAIT_GOES_ON ? GRAPH_DOOMED : GRAPH_PROCESS;
	state = g->items[node].state;
	return g->items[node].doomed	  ? GRAPH_DOOMED :
	       span_is(state, "orphaned") ? GRAPH_ORPHANED :
	       span_is(state, "stale")	  ? GRAPH_STALE :
	       span_is(state, "idle")	  ? GRAPH_IDLE :
					    graph_shape(g, node);
}

const char *graph_edge_color(const struct graph_link *link)
{
	static const char *const colors[] = {
		[GRAPH_USES] = "#4d4d4d",
		[GRAPH_CONNECTS] = "#1f4e79",
		[GRAPH_HELD_BY] = "#62418a",
		[GRAPH_WAITS] = "#7a3b9a",
	};

	return link->doom.verdict != WAIT_GOES_ON ? "#b30000" : colors[link->relation];
}

/* A name, escaped; of a long one its beginning and its end. */
static void put_name(struct buf *b, struct span name)
{
	size_t head = 0, tail = 0, n;
	uint32_t code;

	if (name.len <= NAME_LONGEST) {
		escape_into(b, name);
		return;
	}
	/* Characters are not cut in two. */
	for (size_t at = 0; at < name.len; at += n) {
		n = utf8_decode(span_from(name, at), &code);
		n = n ? n : 1;
		if (at + n <= NAME_HEAD)
			head = at + n;
		if (tail == 0 && at >= name.len - NAME_TAIL)
			tail = at;
	}
	tail = tail ? tail : name.len;
	escape_into(b, (struct span){ name.ptr, head });
	buf_puts(b, "…");
	escape_into(b, span_from(name, tail));
}

static void new_line(struct buf *b)
{
	if (b->len > 0)
		buf_putc(b, '\n');
}

/* The numbers of all processes that one stands for, at most so many. */
static void put_pids(const struct graph *g, const struct graph_process *p, size_t most, struct buf *b)
{
	size_t n = 0;

	for (const struct graph_process *q = p; q && n < most;
	     q = q->next ? &g->processes[q->next - 1] : NULL, n++)
		buf_printf(b, "%s%" PRIu32, n ? ", " : "", q->pid);
	if (p->alike + 1 > n)
		buf_printf(b, " and %zu more", p->alike + 1 - n);
}

static void process_label(const struct graph *g, const struct graph_process *p, struct buf *b)
{
	if (p->alike == 0)
		buf_printf(b, "%" PRIu32 " ", p->pid);
	if (p->told)
		put_name(b, p->command);
	else
		buf_putc(b, '?');
	if (p->alike > 0) {
		buf_printf(b, " ×%" PRIu32 "\n", p->alike + 1);
		put_pids(g, p, MOST_NAMED, b);
	}
	if (p->doom.verdict == WAIT_OWNER_DEAD)
		buf_puts(b, "\nwaits for the dead");
	else if (p->doom.verdict != WAIT_GOES_ON)
		buf_printf(b, "\n%s %" PRIu32,
			   p->doom.verdict == WAIT_DEADLOCK ? "DEADLOCK" : "likely DEADLOCK", p->doom.cycle);
}

/* The references of all objects that one stands for, at most so many. */
static void put_refs(const struct graph *g, const struct graph_item *item, size_t most, bool whole,
		     struct buf *b)
{
	size_t n = 0;

	for (uint32_t i = (uint32_t)(item - g->items); i != GRAPH_NOTHING && n < most;
	     i = g->items[i].next, n++) {
		new_line(b);
		if (whole)
			escape_into(b, g->items[i].ref);
		else
			put_name(b, g->items[i].ref);
	}
	if (item->alike > n)
		buf_printf(b, "\nand %zu more", item->alike - n);
}

static void item_label(const struct graph *g, const struct graph_item *item, struct buf *b)
{
	if (item->alike > 1)
		buf_printf(b, "%s ×%" PRIu32, graph_kind(g, item)->name, item->alike);
	put_refs(g, item, MOST_NAMED, false, b);
	if (item->size.state == VALUE_SET) {
		buf_putc(b, '\n');
		format_size(b, item->size.u64);
	} else if (item->size.state == VALUE_UNKNOWN) {
		buf_puts(b, "\nsize ?");
	}
	if (item->state.len > 0 && !span_is(item->state, "in-use")) {
		buf_putc(b, '\n');
		escape_into(b, span_is(item->state, "unknown") ? SPAN("use unknown") : item->state);
	}
}

void graph_node_label(const struct graph *g, uint32_t node, struct buf *b)
{
	if (graph_is_process(g, node))
		process_label(g, graph_process_at(g, node), b);
	else
		item_label(g, &g->items[node], b);
}

void graph_node_tip(const struct graph *g, uint32_t node, struct buf *b)
{
	if (graph_is_process(g, node)) {
		const struct graph_process *p = graph_process_at(g, node);

		buf_puts(b, p->alike ? "processes " : "process ");
		put_pids(g, p, MOST_TOLD, b);
		if (p->told) {
			buf_puts(b, "\n");
			escape_into(b, p->command);
		}
		if (p->user.len > 0) {
			buf_puts(b, "\nuser ");
			escape_into(b, p->user);
		}
	} else {
		const struct graph_item *item = &g->items[node];

		put_refs(g, item, MOST_TOLD, true, b);
		if (item->reason.len > 0 && item->alike == 1) {
			new_line(b);
			escape_into(b, item->state);
			buf_puts(b, ": ");
			escape_into(b, item->reason);
		}
	}
}

static void put_fill(const struct graph_edge *edge, struct buf *b)
{
	const struct value *queued = &edge->queued, *back = &edge->queued_back, *most = &edge->capacity;
	bool some = queued->state == VALUE_UNKNOWN || (queued->state == VALUE_SET && queued->u64 > 0);

	/* What can fill up is worth a word even when it is empty. */
	if (most->state != VALUE_ABSENT || some) {
		buf_putc(b, '\n');
		if (queued->state == VALUE_SET)
			format_size(b, queued->u64);
		else
			buf_putc(b, '?');
		if (most->state == VALUE_SET) {
			buf_putc(b, '/');
			format_size(b, most->u64);
		}
	}
	if (back->state == VALUE_SET && back->u64 > 0) {
		buf_puts(b, some ? ", back " : "\nback ");
		format_size(b, back->u64);
	}
}

static void put_times(struct buf *b, uint64_t n)
{
	if (n > 1)
		buf_printf(b, " ×%" PRIu64, n);
}

static void put_edge_refs(const struct graph *g, const struct graph_edge *edge, size_t most, bool whole,
			  struct buf *b)
{
	size_t n = edge->count < most ? edge->count : most;

	for (size_t i = 0; i < n; i++) {
		new_line(b);
		if (whole)
			escape_into(b, g->items[g->links[edge->first + i].item].ref);
		else
			put_name(b, g->items[g->links[edge->first + i].item].ref);
	}
	if (edge->count > n)
		buf_printf(b, "\nand %zu more", edge->count - n);
}

void graph_edge_label(const struct graph *g, const struct graph_edge *edge, struct buf *b)
{
	const struct graph_link *link = &g->links[edge->first];
	const struct kind *k = graph_kind(g, &g->items[link->item]);

	switch (link->relation) {
	case GRAPH_CONNECTS:
		buf_puts(b, k->name);
		put_times(b, edge->count);
		put_fill(edge, b);
		break;
	case GRAPH_HELD_BY:
		buf_puts(b, k->traces ? "changed last by" : "held by");
		break;
	case GRAPH_WAITS:
		buf_puts(b, "waits");
		put_times(b, edge->waits);
		if (graph_is_process(g, link->to)) {
			buf_puts(b, " for");
			put_edge_refs(g, edge, 1, false, b);
		}
		break;
	case GRAPH_USES:
		break;
	}
}

/* What those who have it are to it. */
static void put_roles(const struct graph *g, uint32_t roles, struct buf *b)
{
	for (size_t i = 0, n = 0; i < g->nroles; i++) {
		if (!(roles >> i & 1))
			continue;
		buf_puts(b, n++ ? ", " : "\n");
		escape_into(b, g->roles[i]);
	}
}

void graph_edge_tip(const struct graph *g, const struct graph_edge *edge, struct buf *b)
{
	put_edge_refs(g, edge, MOST_TOLD, true, b);
	put_roles(g, g->links[edge->first].roles, b);
}

void graph_cluster_label(const struct graph_cluster *cluster, struct buf *b)
{
	const struct {
		const char *name;
		uint64_t number;
	} both[] = { { "pid", cluster->pid_namespace }, { "ipc", cluster->ipc_namespace } };

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		buf_printf(b, "%s%s namespace ", i ? ", " : "", both[i].name);
		if (both[i].number)
			buf_u64(b, both[i].number);
		else
			buf_putc(b, '?');
	}
}
