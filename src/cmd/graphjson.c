/* SPDX-License-Identifier: MIT */
/* The graph as a JSON document with three arrays: ipcctl-json(5). */
#include <errno.h>

#include "cmd/graphdraw.h"
#include "cmd/graphrecord.h"

/* What is under way. */
struct writing {
	const struct graph *g;
	struct sheet *sheet;
	struct view view;
	struct arena values, arena;
	struct record record;
};

/* Fills w->record from the i-th of something. 0, PROJECT_SKIP or -ENOMEM. */
typedef int project_fn(const struct graph *g, size_t i, struct record *r);

static int project_node(const struct graph *g, size_t i, struct record *r)
{
	return graph_node_project(g, g->order[i], r);
}

static int project_edge(const struct graph *g, size_t i, struct record *r)
{
	return graph_edge_project(g, &g->edges[i], r);
}

static int write_record(struct writing *w)
{
	const struct renderer *renderer = &w->sheet->renderer;
	struct out *out = &w->sheet->context->out;
	const char *separator = renderer->ops->separator;
	int e;

	if (w->sheet->shown++ == 0)
		separator += strlen(separator) - renderer->ops->first;
	buf_puts(out_buf(out), separator);
	e = renderer->ops->record(&w->sheet->renderer, &w->arena, &w->record, out_buf(out));
	out_flush_if_full(out);
	return e;
}

static int write_array(struct writing *w, const struct schema *schema, size_t count, project_fn *project)
{
	int e;

	w->sheet->shown = 0;
	arena_reset(&w->values);
	e = record_init(&w->record, schema, &w->values);
	w->record.arena = &w->arena;
	for (size_t i = 0; e == 0 && i < count; i++) {
		record_clear(&w->record);
		arena_reset(&w->arena);
		e = project(w->g, i, &w->record);
		if (e == 0)
			e = write_record(w);
		else if (e == PROJECT_SKIP)
			e = 0;
	}
	return e;
}

/* From one array to the next; the renderer begins the first and ends the last. */
static void next_array(struct writing *w, const char *name)
{
	buf_printf(out_buf(&w->sheet->context->out), "%s],\"%s\":[", w->sheet->shown ? "\n" : "", name);
}

int graph_write_json(const struct graph *g, struct sheet *sheet)
{
	static const struct schema *const schemas[] = { &graph_node_schema, &graph_edge_schema,
							&graph_left_schema };
	struct writing w = { .g = g, .sheet = sheet };
	const struct view *before = sheet->renderer.view;
	struct field_error error;
	int e = view_init(&w.view, schemas, ARRAY_SIZE(schemas), NULL, VIEW_EVERYTHING, &error);

	sheet->renderer.view = &w.view;
	if (e == 0) {
		sheet_begin(sheet, g->l->snapshot.taken);
		e = write_array(&w, &graph_node_schema, g->nodes, project_node);
	}
	if (e == 0) {
		next_array(&w, "edges");
		e = write_array(&w, &graph_edge_schema, g->nedges, project_edge);
	}
	if (e == 0) {
		next_array(&w, "left_out");
		e = write_array(&w, &graph_left_schema, GRAPH_REASONS * g->l->nkinds, graph_left_project);
	}
	sheet->renderer.view = before;
	view_free(&w.view);
	if (w.arena.failed)
		e = -ENOMEM;
	arena_free(&w.values);
	arena_free(&w.arena);
	return e < 0 ? -ENOMEM : 0;
}
