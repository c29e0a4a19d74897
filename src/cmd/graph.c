/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cmd/graphdraw.h"
#include "cmd/graphlabel.h"
#include "cmd/registry.h"

enum form { FORM_DOT, FORM_MERMAID, FORM_JSON };

/* Only JSON goes the way of records to standard output. */
static const struct render_ops render_nothing = { .serial = true };

/* -1 or the exit status. */
static int choose_form(struct context *c, enum form *form)
{
	static const char *const words[] = {
		[FORM_DOT] = "dot", [FORM_MERMAID] = "mermaid", [FORM_JSON] = "json"
	};
	const char *word = c->options.format;

	if (c->options.json && word && strcmp(word, words[FORM_JSON]) != 0)
		return diag_usage(&c->diag, "--json and --format %s exclude each other", word);
	if (c->options.depth.set && !c->options.pid.set)
		return diag_usage(&c->diag, "--depth goes with --pid");
	*form = c->options.json ? FORM_JSON : FORM_DOT;
	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			*form = (enum form)i;
	return -1;
}

/* One snapshot for the objects, who has them and who waits; another if it shows deadlocks. -1 or the
 * exit status. */
static int look(struct listing *l, struct wait_look *look, const struct kind_list *list)
{
	struct scan_request request = { 0 };
	struct context *c = l->context;
	int status = wait_look_init(look, c, list);

	if (status < 0) {
		request.sources = graph_sources(l) | wait_look_sources(look);
		status = listing_take(l, &request);
	}
	scan_request_free(&request);
	if (status >= 0)
		return status;
	if (wait_look_into(look, c, &l->snapshot, list, &l->sheet.warnings) < 0)
		return out_of_memory(c);
	return wait_look_confirm(look, c, list);
}

static int build(struct graph *g, const struct wait_graph *waits)
{
	int e = graph_gather(g);

	if (e == 0)
		e = graph_connect(g);
	if (e == 0)
		e = graph_add_waits(g, waits);
	if (e == 0)
		e = graph_link(g, waits);
	if (e == 0)
		e = graph_reach(g);
	if (e == 0)
		e = graph_fill(g);
	if (e == 0)
		e = graph_bundle(g);
	return e == 0 && g->arena.failed ? -ENOMEM : e;
}

/* People are told on standard error; the text has it as comments, too. */
static void tell_remarks(struct context *c, const struct graph *g)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	char *line, *rest;

	graph_remarks(g, &text);
	if (text.len == 0 || !buf_cstr(&text))
		return;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		diag_note(&c->diag, "%s", line);
}

static int show(const struct graph *g, struct sheet *sheet, enum form form)
{
	struct context *c = sheet->context;
	bool complete = !sheet->warnings.incomplete;
	int status;

	sheet->renderer.ops = form == FORM_JSON ? &render_json : &render_nothing;
	if (form == FORM_JSON) {
		if (graph_write_json(g, sheet) < 0)
			return out_of_memory(c);
	} else if (form == FORM_MERMAID) {
		graph_draw_mermaid(g, complete, out_buf(&c->out));
	} else {
		graph_draw_dot(g, complete, out_buf(&c->out));
	}
	status = sheet_end(sheet);
	if (form != FORM_JSON)
		tell_remarks(c, g);
	return status;
}

static int run(struct context *c, int argc, char **argv)
{
	struct kind_list list = { 0 };
	struct listing l = { 0 };
	struct wait_look waits = { 0 };
	struct graph g = { .l = &l };
	enum form form = FORM_DOT;
	struct opt_rest rest;
	int status = command_parse(c, &command_graph, argc, argv, &rest);

	if (status < 0)
		status = choose_form(c, &form);
	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = listing_init(&l, c, &list, "nodes", false);
	if (status < 0)
		status = look(&l, &waits, &list);
	g.all = c->options.all;
	g.group = c->options.group;
	g.pid = c->options.pid.value;
	g.depth = c->options.depth.set ? c->options.depth.value : 1;
	if (status < 0 && build(&g, &waits.g) < 0)
		status = out_of_memory(c);
	if (status < 0)
		status = show(&g, &l.sheet, form);
	graph_free(&g);
	wait_look_free(&waits);
	listing_free(&l);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_graph = {
	.name = "graph",
	.arguments = "[KIND...]",
	.summary = "Draw processes and what is between them, for Graphviz or Mermaid",
	.text = "ipcctl graph | dot -Tsvg > graph.svg makes a picture.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_GRAPH | OPTIONS_LETTERS,
	.capabilities = RIGHTS_LOOK,
	.words = COMPLETE_KIND,
	.run = run,
};
