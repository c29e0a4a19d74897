/* SPDX-License-Identifier: MIT */
#include "cmd/registry.h"
#include "cmd/waitlook.h"
#include "cmd/waitrecord.h"
#include "cmd/waittree.h"

/* Deadlocks are looked at again; what the second look shows counts. -1 or the exit status. */
static int look_again(struct wait_look *current, struct context *c, const struct kind_list *list,
		      struct warnings *warnings)
{
	struct wait_look second = { 0 }, first = *current;
	int status;

	if (!wait_look_is_hopeless(&first))
		return -1;
	wait_look_pause();
	/* What could not be read this time is what counts. */
	warnings_free(warnings);
	*warnings = (struct warnings){ 0 };
	status = wait_look_take(&second, c, list, warnings);
	if (status < 0 && wait_look_doubt(&second, &first) < 0)
		status = out_of_memory(c);
	wait_look_free(&first);
	*current = second;
	return status;
}

/* The tree has its own way to standard output. */
static const struct render_ops render_nothing = { .serial = true };

/* Whether people are to be shown the tree: nobody has asked for a form of his own. */
static bool shows_tree(const struct options *o)
{
	return !o->json && !o->jsonl && !o->raw && !o->null && !o->output && !o->sort &&
	       o->filters.count == 0 && !o->pid.set;
}

/* Whether it is of a kind that was asked for, and without hope if only those are to be shown. */
static bool is_shown(const struct wait_look *look, size_t i, bool hopeless)
{
	const struct wait *w = &look->g.waits[i];

	return look->g.objects[w->object].asked && (!hopeless || w->verdict != WAIT_GOES_ON);
}

static int show_records(struct wait_look *look, struct sheet *sheet, bool hopeless)
{
	struct context *c = sheet->context;
	struct projector p = { .snapshot = &look->l.snapshot, .want = sheet_fields(sheet, 0) };
	struct arena values = { 0 }, arena = { 0 };
	struct record r;
	int e = record_init(&r, &wait_schema, &values);

	r.arena = &arena;
	for (size_t i = 0; e == 0 && i < look->g.nwaits; i++) {
		if (!is_shown(look, i, hopeless))
			continue;
		record_clear(&r);
		arena_reset(&arena);
		e = wait_project(&p, &look->g, i, &r);
		if (e == 0)
			e = sheet_add(sheet, &r);
	}
	projector_free(&p);
	arena_free(&values);
	arena_free(&arena);
	return e < 0 ? out_of_memory(c) : -1;
}

static int show(struct wait_look *look, struct sheet *sheet)
{
	struct context *c = sheet->context;
	bool found = false;
	int status = -1;

	sheet->document.unreadable_processes = snapshot_unreadable(&look->l.snapshot);
	if (look->g.unplaced > 0)
		warnings_add(&sheet->warnings,
			     &(struct warning){ .subject = wait_schema.name,
						.error = WHY_OTHER_PIDS,
						.count = look->g.unplaced,
						.text = "left out: their processes are out of sight" });
	for (size_t i = 0; i < look->g.nwaits; i++)
		found |= is_shown(look, i, true);
	if (shows_tree(&c->options)) {
		sheet->renderer.ops = &render_nothing;
		if (wait_tree_print(&look->g, c) < 0)
			return out_of_memory(c);
		sheet->document.records = look->g.nwaits;
	} else {
		sheet_begin(sheet, look->l.snapshot.taken);
		status = show_records(look, sheet, c->options.deadlocks);
	}
	if (status < 0)
		status = sheet_end(sheet);
	return status == EXIT_DONE && c->options.deadlocks && found ? EXIT_FAILED : status;
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *schemas = &wait_schema;
	struct kind_list list = { 0 };
	struct sheet sheet = { 0 };
	struct wait_look current = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_waits, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = sheet_init(
			&sheet, c,
			&(struct sheet_plan){ .schemas = &schemas, .nschemas = 1, .array = "waits" });
	if (status < 0)
		status = wait_look_take(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = look_again(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = show(&current, &sheet);
	wait_look_free(&current);
	sheet_free(&sheet);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_waits = {
	.name = "waits",
	.arguments = "[KIND...]",
	.summary = "Show who is blocked on what, who could release it, and deadlocks",
	.text = "Without an option that says otherwise it is a tree: on top who could release\n"
		"something, below that what it is, and below that who waits for it.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_OWNER | OPTIONS_LETTERS | OPTIONS_WAITS,
	.capabilities = RIGHTS_LOOK,
	.words = COMPLETE_KIND,
	.run = run,
};
