/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>

#include "cmd/registry.h"
#include "cmd/waitrecord.h"
#include "cmd/waittree.h"
#include "kind/registry.h"

/* How long to wait before a deadlock is looked at again. */
#define SECOND_LOOK_NANOSECONDS 100000000

/* One look: a snapshot, and the graph of it. */
struct look {
	struct kind_list wide; /* of the listing */
	struct listing l;
	struct wait_graph g;
	uint64_t *runs; /* of each wait: how often its task had run; UINT64_MAX: not known */
};

static void look_free(struct look *look)
{
	wait_graph_free(&look->g);
	listing_free(&look->l);
	kind_list_free(&look->wide);
	free(look->runs);
}

/* What is looked at: the kinds that were asked for, and those through which circles go. */
static int widen(const struct kind_list *asked, struct kind_list *wide)
{
	size_t n = 0;

	for (const struct kind *const *k = kinds; *k; k++)
		n++;
	wide->items = calloc(n + 1, sizeof(*wide->items));
	if (!wide->items)
		return -ENOMEM;
	for (const struct kind *const *k = kinds; *k; k++) {
		bool wanted = (*k)->excludes;

		for (size_t i = 0; i < asked->count; i++)
			wanted |= asked->items[i] == *k;
		if (wanted)
			wide->items[wide->count++] = *k;
	}
	return 0;
}

/* How often each task without hope has run. 0 or -ENOMEM. */
static int note_runs(struct look *look, struct context *c)
{
	look->runs = calloc(look->g.nwaits + 1, sizeof(*look->runs));
	if (!look->runs)
		return -ENOMEM;
	for (size_t i = 0; i < look->g.nwaits; i++) {
		const struct wait *w = &look->g.waits[i];

		if (w->verdict == WAIT_GOES_ON || task_runs(&c->scan, w->pid, w->tid, &look->runs[i]) < 0)
			look->runs[i] = UINT64_MAX;
	}
	return 0;
}

/* -1 or the exit status. */
static int look(struct look *look, struct context *c, const struct kind_list *list, struct warnings *warnings)
{
	struct scan_request request = { .threads = listing_threads(c) };
	int status, e = widen(list, &look->wide);

	if (e < 0)
		return out_of_memory(c);
	status = listing_init_kinds(&look->l, c, &look->wide);
	if (status >= 0)
		return status;
	request.sources = wait_graph_sources(&look->l);
	look->l.taken = true;
	e = snapshot_take(&look->l.snapshot, &c->scan, &request, warnings);
	scan_request_free(&request);
	if (e == 0)
		e = wait_graph_build(&look->g, &look->l, list, warnings);
	if (e == 0)
		e = wait_graph_judge(&look->g, &look->l.snapshot);
	if (e == 0)
		e = note_runs(look, c);
	return e < 0 ? out_of_memory(c) : -1;
}

/* Whether the first look found the same task without hope, and it has slept ever since. */
static bool is_confirmed(const struct look *first, const struct look *second, size_t i)
{
	const struct wait *now = &second->g.waits[i];
	size_t count, at = wait_graph_of_task(&first->g, now->pid, now->tid, &count);

	for (size_t k = at; k < at + count; k++) {
		const struct wait *then = &first->g.waits[k];

		if (then->verdict == now->verdict && first->runs[k] == second->runs[i] &&
		    span_eq(first->g.objects[then->object].ref, second->g.objects[now->object].ref))
			return true;
	}
	return false;
}

/* Takes the verdicts away that the first look does not confirm. 0 or -ENOMEM. */
static int doubt(const struct look *first, struct look *second)
{
	_cleanup_(free_ptr) bool *doubtful = calloc(second->g.nwaits + 1, sizeof(*doubtful));

	if (!doubtful)
		return -ENOMEM;
	for (size_t i = 0; i < second->g.nwaits; i++)
		doubtful[i] = second->g.waits[i].verdict != WAIT_GOES_ON && !is_confirmed(first, second, i);
	return wait_graph_doubt(&second->g, doubtful);
}

/*
 * A snapshot is not taken at one moment: what it shows as a circle may never have been one. So
 * deadlocks are looked at again, and count if nobody has moved meanwhile. -1 or the exit status.
 */
static int look_again(struct look *current, struct context *c, const struct kind_list *list,
		      struct warnings *warnings)
{
	const struct timespec pause = { .tv_nsec = SECOND_LOOK_NANOSECONDS };
	struct look second = { 0 }, first = *current;
	bool again = false;
	int status;

	for (size_t i = 0; i < first.g.nwaits; i++)
		again |= first.g.waits[i].verdict != WAIT_GOES_ON;
	if (!again)
		return -1;
	nanosleep(&pause, NULL);
	/* What could not be read this time is what counts. */
	warnings_free(warnings);
	*warnings = (struct warnings){ 0 };
	status = look(&second, c, list, warnings);
	if (status < 0 && doubt(&first, &second) < 0)
		status = out_of_memory(c);
	look_free(&first);
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
static bool is_shown(const struct look *look, size_t i, bool hopeless)
{
	const struct wait *w = &look->g.waits[i];

	return look->g.objects[w->object].asked && (!hopeless || w->verdict != WAIT_GOES_ON);
}

static int show_records(struct look *look, struct sheet *sheet, bool hopeless)
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

static int show(struct look *look, struct sheet *sheet)
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
	struct look current = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_waits, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = sheet_init(
			&sheet, c,
			&(struct sheet_plan){ .schemas = &schemas, .nschemas = 1, .array = "waits" });
	if (status < 0)
		status = look(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = look_again(&current, c, &list, &sheet.warnings);
	if (status < 0)
		status = show(&current, &sheet);
	look_free(&current);
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
	.options = OPTIONS_GLOBAL | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_OWNER |
		   OPTIONS_LETTERS | OPTIONS_WAITS,
	.words = COMPLETE_KIND,
	.run = run,
};
