/* SPDX-License-Identifier: MIT */
#include "cmd/graphrecord.h"
#include "cmd/waitrecord.h"

#include <errno.h>

enum { OBJECT_REF };

static const struct field object_fields[] = {
	[OBJECT_REF] = { .name = "ref", .type = FIELD_REF, .help = "reference of the object" },
};

static const struct schema object_schema = { "objects", object_fields, ARRAY_SIZE(object_fields) };

enum { PROCESS_PID };

static const struct field pid_fields[] = {
	[PROCESS_PID] = { .name = "pid", .type = FIELD_PID, .help = "number of the process" },
};

static const struct schema pid_schema = { "processes", pid_fields, ARRAY_SIZE(pid_fields) };

enum {
	NODE_ID,
	NODE_TYPE,
	NODE_PID,
	NODE_PIDS,
	NODE_START,
	NODE_COMMAND,
	NODE_USER,
	NODE_PID_NAMESPACE,
	NODE_IPC_NAMESPACE,
	NODE_KIND,
	NODE_REF,
	NODE_COUNT,
	NODE_OBJECTS,
	NODE_SIZE,
	NODE_STATE,
	NODE_REASON,
	NODE_WAITERS,
	NODE_VERDICT,
	NODE_DEADLOCK,
};

static const char *const type_values[] = { "process", "object", NULL };
static const struct field node_fields[] = {
	[NODE_ID] = { .name = "id", .type = FIELD_STR, .help = "what edges call it" },
	[NODE_TYPE] = { .name = "type", .type = FIELD_STR, .values = type_values, .help = "what it is" },
	[NODE_PID] = { .name = "pid", .type = FIELD_PID, .help = "number of the process" },
	[NODE_PIDS] = { .name = "processes",
			.type = FIELD_LIST,
			.items = &pid_schema,
			.help = "with --group: all that it stands for" },
	[NODE_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[NODE_COMMAND] = { .name = "command", .type = FIELD_STR, .help = "its command" },
	[NODE_USER] = { .name = "user", .type = FIELD_STR, .help = "its user" },
	[NODE_PID_NAMESPACE] = { .name = "pid_namespace", .type = FIELD_U64, .help = "its PID namespace" },
	[NODE_IPC_NAMESPACE] = { .name = "ipc_namespace", .type = FIELD_U64, .help = "its IPC namespace" },
	[NODE_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of the object" },
	[NODE_REF] = { .name = "ref", .type = FIELD_REF, .help = "its reference; of the first of several" },
	[NODE_COUNT] = { .name = "count", .type = FIELD_U64, .help = "objects that it stands for" },
	[NODE_OBJECTS] = { .name = "objects", .type = FIELD_LIST, .items = &object_schema, .help = "those" },
	[NODE_SIZE] = { .name = "size", .type = FIELD_BYTES, .help = "their bytes" },
	[NODE_STATE] = { .name = "state", .type = FIELD_STR, .help = "verdict on their use" },
	[NODE_REASON] = { .name = "reason", .type = FIELD_STR, .help = "why that, of the first" },
	[NODE_WAITERS] = { .name = "waiters", .type = FIELD_U64, .help = "tasks that wait for it" },
	[NODE_VERDICT] = { .name = "verdict",
			   .type = FIELD_STR,
			   .values = wait_verdict_values,
			   .help = "of a process that waits for ever" },
	[NODE_DEADLOCK] = { .name = "deadlock",
			    .type = FIELD_U64,
			    .help = "number of the deadlock that it is part of" },
};

const struct schema graph_node_schema = { "node", node_fields, ARRAY_SIZE(node_fields) };

enum {
	EDGE_FROM,
	EDGE_TO,
	EDGE_TYPE,
	EDGE_KIND,
	EDGE_DIRECTION,
	EDGE_REF,
	EDGE_COUNT,
	EDGE_OBJECTS,
	EDGE_ROLES,
	EDGE_QUEUED,
	EDGE_QUEUED_BACK,
	EDGE_CAPACITY,
	EDGE_WAITS,
	EDGE_VERDICT,
	EDGE_DEADLOCK,
};

static const char *const relation_values[] = {
	[GRAPH_USES] = "uses",
	[GRAPH_CONNECTS] = "connects",
	[GRAPH_HELD_BY] = "held-by",
	[GRAPH_WAITS] = "waits-for",
	NULL,
};
static const char *const direction_values[] = {
	[GRAPH_NEITHER] = "none", [GRAPH_FORWARD] = "forward", [GRAPH_BOTH] = "both", NULL
};

static const struct field edge_fields[] = {
	[EDGE_FROM] = { .name = "from", .type = FIELD_STR, .help = "node that it begins at" },
	[EDGE_TO] = { .name = "to", .type = FIELD_STR, .help = "node that it leads to" },
	[EDGE_TYPE] = { .name = "type", .type = FIELD_STR, .values = relation_values, .help = "what it is" },
	[EDGE_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of the objects that it stands for" },
	[EDGE_DIRECTION] = { .name = "direction",
			     .type = FIELD_STR,
			     .values = direction_values,
			     .help = "which way bytes go, or who asked for the connection" },
	[EDGE_REF] = { .name = "ref", .type = FIELD_REF, .help = "reference of the first of those" },
	[EDGE_COUNT] = { .name = "count", .type = FIELD_U64, .help = "objects that it stands for" },
	[EDGE_OBJECTS] = { .name = "objects", .type = FIELD_LIST, .items = &object_schema, .help = "those" },
	[EDGE_ROLES] = { .name = "roles", .type = FIELD_STR, .help = "what those who have it are to it" },
	[EDGE_QUEUED] = { .name = "queued", .type = FIELD_BYTES, .help = "bytes on their way" },
	[EDGE_QUEUED_BACK] = { .name = "queued_back",
			       .type = FIELD_BYTES,
			       .help = "bytes on their way back" },
	[EDGE_CAPACITY] = { .name = "capacity",
			    .type = FIELD_BYTES,
			    .help = "most of them that there can be" },
	[EDGE_WAITS] = { .name = "waits", .type = FIELD_U64, .help = "tasks that wait" },
	[EDGE_VERDICT] = { .name = "verdict",
			   .type = FIELD_STR,
			   .values = wait_verdict_values,
			   .help = "whether that can end" },
	[EDGE_DEADLOCK] = { .name = "deadlock",
			    .type = FIELD_U64,
			    .help = "number of the deadlock that it is part of" },
};

const struct schema graph_edge_schema = { "edge", edge_fields, ARRAY_SIZE(edge_fields) };

enum { LEFT_KIND, LEFT_WHY, LEFT_COUNT };

static const char *const why_values[] = { "one-process", "no-process", "read-only", "polled", NULL };

static const struct field left_fields[] = {
	[LEFT_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of the objects" },
	[LEFT_WHY] = { .name = "why",
		       .type = FIELD_STR,
		       .values = why_values,
		       .help = "why they are left out" },
	[LEFT_COUNT] = { .name = "count", .type = FIELD_U64, .help = "how many" },
};

const struct schema graph_left_schema = { "left_out", left_fields, ARRAY_SIZE(left_fields) };

static void record_id(const struct graph *g, struct record *r, size_t field, uint32_t node)
{
	record_printf(r, field, "n%u", graph_id(g, node));
}

static int add_object(struct record *r, struct list *list, struct span ref)
{
	struct record row;

	if (!list || list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_str(&row, OBJECT_REF, ref);
	return 0;
}

/* All that one stands for, if there are several. 0 or -ENOMEM. */
static int project_group(const struct graph *g, const struct graph_process *p, struct record *r)
{
	struct list *list = p->alike ? record_list(r, NODE_PIDS) : NULL;
	struct record row;

	if (p->alike == 0)
		return 0;
	record_u64(r, NODE_COUNT, p->alike + 1);
	for (; list && p; p = p->next ? &g->processes[p->next - 1] : NULL) {
		if (list_append(r, list, &row) < 0)
			return -ENOMEM;
		record_u64(&row, PROCESS_PID, p->pid);
	}
	return list ? 0 : -ENOMEM;
}

static void record_number(const struct graph_process *p, struct record *r, size_t field, uint64_t number)
{
	if (number)
		record_u64(r, field, number);
	else if (!p->gone)
		record_unknown_why(r, field, WHY_TOLD);
}

static void project_process(const struct graph_process *p, struct record *r)
{
	record_u64(r, NODE_PID, p->pid);
	if (p->told) {
		record_i64(r, NODE_START, p->start);
		record_str(r, NODE_COMMAND, p->command);
	} else if (!p->gone) {
		record_unknown_why(r, NODE_START, WHY_TOLD);
		record_unknown_why(r, NODE_COMMAND, WHY_TOLD);
	}
	if (p->user.len > 0)
		record_str(r, NODE_USER, p->user);
	else if (!p->gone)
		record_unknown_why(r, NODE_USER, WHY_TOLD);
	record_number(p, r, NODE_PID_NAMESPACE, p->pid_namespace);
	record_number(p, r, NODE_IPC_NAMESPACE, p->ipc_namespace);
	if (p->doom.verdict != WAIT_GOES_ON)
		record_text(r, NODE_VERDICT, wait_verdict_values[p->doom.verdict]);
	if (p->doom.cycle)
		record_u64(r, NODE_DEADLOCK, p->doom.cycle);
}

static int project_item(const struct graph *g, const struct graph_item *item, struct record *r)
{
	struct list *list = record_list(r, NODE_OBJECTS);
	int e = 0;

	record_text(r, NODE_KIND, graph_kind(g, item)->name);
	record_str(r, NODE_REF, item->ref);
	record_u64(r, NODE_COUNT, item->alike);
	r->values[NODE_SIZE] = item->size;
	if (item->state.len > 0)
		record_str(r, NODE_STATE, item->state);
	if (item->reason.len > 0)
		record_str(r, NODE_REASON, item->reason);
	if (item->nwaits > 0)
		record_u64(r, NODE_WAITERS, item->nwaits);
	for (uint32_t i = (uint32_t)(item - g->items); e == 0 && i != GRAPH_NOTHING; i = g->items[i].next)
		e = add_object(r, list, g->items[i].ref);
	return e;
}

int graph_node_project(const struct graph *g, uint32_t node, struct record *r)
{
	bool process = graph_is_process(g, node);

	record_id(g, r, NODE_ID, node);
	record_text(r, NODE_TYPE, type_values[!process]);
	if (!process)
		return project_item(g, &g->items[node], r);
	project_process(graph_process_at(g, node), r);
	return project_group(g, graph_process_at(g, node), r);
}

static void project_roles(const struct graph *g, uint32_t roles, struct record *r)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span all;

	for (size_t i = 0; i < g->nroles; i++)
		if (roles >> i & 1)
			buf_printf(&text, "%s%.*s", text.len ? ", " : "", (int)g->roles[i].len,
				   g->roles[i].ptr);
	all = arena_span(r->arena, buf_span(&text));
	if (text.failed)
		record_unknown(r, EDGE_ROLES, ENOMEM);
	else if (text.len > 0 && all.ptr)
		record_str(r, EDGE_ROLES, all);
}

int graph_edge_project(const struct graph *g, const struct graph_edge *edge, struct record *r)
{
	const struct graph_link *links = &g->links[edge->first];
	struct list *list = record_list(r, EDGE_OBJECTS);
	int e = 0;

	record_id(g, r, EDGE_FROM, links->from);
	record_id(g, r, EDGE_TO, links->to);
	record_text(r, EDGE_TYPE, relation_values[links->relation]);
	record_text(r, EDGE_KIND, graph_kind(g, &g->items[links->item])->name);
	record_text(r, EDGE_DIRECTION, direction_values[links->direction]);
	record_str(r, EDGE_REF, g->items[links->item].ref);
	record_u64(r, EDGE_COUNT, edge->count);
	project_roles(g, links->roles, r);
	r->values[EDGE_QUEUED] = edge->queued;
	r->values[EDGE_QUEUED_BACK] = edge->queued_back;
	r->values[EDGE_CAPACITY] = edge->capacity;
	if (edge->waits > 0) {
		record_u64(r, EDGE_WAITS, edge->waits);
		record_text(r, EDGE_VERDICT, wait_verdict_values[links->doom.verdict]);
	}
	if (links->doom.cycle)
		record_u64(r, EDGE_DEADLOCK, links->doom.cycle);
	for (size_t i = 0; e == 0 && i < edge->count; i++)
		e = add_object(r, list, g->items[links[i].item].ref);
	return e;
}

int graph_left_project(const struct graph *g, size_t i, struct record *r)
{
	const struct graph_left *left = &g->left[i / GRAPH_REASONS];
	const uint64_t counts[GRAPH_REASONS] = { left->alone, left->unheld, left->unwritten, left->polled };

	if (counts[i % GRAPH_REASONS] == 0)
		return PROJECT_SKIP;
	record_text(r, LEFT_KIND, g->l->kinds[i / GRAPH_REASONS]->name);
	record_text(r, LEFT_WHY, why_values[i % GRAPH_REASONS]);
	record_u64(r, LEFT_COUNT, counts[i % GRAPH_REASONS]);
	return 0;
}
