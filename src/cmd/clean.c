/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "cmd/cleanrecord.h"
#include "cmd/cleansum.h"
#include "cmd/registry.h"
#include "kind/registry.h"
#include "lib/escape.h"
#include "lib/signals.h"

#define USUAL_AGE 60 /* seconds */

static int show(struct cleaning *clean, struct sheet *sheet)
{
	struct context *c = sheet->context;
	struct arena arena = { 0 };
	struct record r;
	int e = record_init(&r, &clean_schema, &arena);

	for (size_t i = 0; e == 0 && i < clean->count; i++) {
		if (clean->items[i].action != CLEAN_REMOVE && !c->options.verbose)
			continue;
		record_clear(&r);
		candidate_project(&clean->items[i], &r);
		e = sheet_add(sheet, &r);
	}
	arena_free(&arena);
	return e < 0 ? out_of_memory(c) : -1;
}

/* What would end this program is held back while objects are removed. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	signal_add_unless_ignored(&set, SIGINT);
	signal_add_unless_ignored(&set, SIGTERM);
	signal_add_unless_ignored(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool is_interrupted(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
	       sigismember(&pending, SIGHUP) == 1;
}

static bool say_outcome(void *data, const struct candidate *candidate)
{
	struct context *c = data;
	struct buf *out = out_buf(&c->out);
	const char *what = candidate->outcome == OUTCOME_SPARED	 ? "spared, " :
			   candidate->outcome == OUTCOME_REMOVED ? "removed, but " :
								   "";

	if (candidate->outcome == OUTCOME_REMOVED && !c->options.quiet) {
		buf_puts(out, "removed ");
		escape_into(out, candidate->ref);
		buf_putc(out, '\n');
	}
	if (candidate->why.len > 0)
		diag_error(&c->diag, "clean %.*s: %s%.*s", (int)candidate->ref.len, candidate->ref.ptr, what,
			   (int)candidate->why.len, candidate->why.ptr);
	out_flush_if_full(&c->out);
	return !is_interrupted();
}

static bool is_for_machines(const struct options *o)
{
	return o->json || o->jsonl || o->raw || o->null;
}

static bool confirmed(struct context *c, const struct cleaning *clean)
{
	_cleanup_(buf_free) struct buf b = { 0 };

	buf_puts(&b, "Remove ");
	cleaning_put_sum(&b, clean, OUTCOME_NONE);
	buf_putc(&b, '?');
	return buf_cstr(&b) && user_agrees(c, b.data);
}

static bool say_nothing(void *data _unused_, const struct candidate *candidate _unused_)
{
	return !is_interrupted();
}

/*
 * Carries the plan out, told line by line, or later in the records. What would end this program waits until
 * an object is gone whole, and its outcome said. -1 or the exit status.
 */
static int carry_out(struct context *c, struct cleaning *clean)
{
	bool quiet = is_for_machines(&c->options);

	hold_signals();
	if (out_reserve(&c->out) < 0)
		return out_of_memory(c);
	return cleaning_carry_out(clean, quiet ? say_nothing : say_outcome, c) < 0 ? out_of_memory(c) : -1;
}

/*
 * The plan, or with the records for machines also what became of it. What could not be looked at makes *told
 * EXIT_FAILED. -1 or the exit status.
 */
static int print(struct cleaning *clean, struct sheet *sheet, int *told)
{
	int status;

	sheet->document.unreadable_processes = snapshot_unreadable(&clean->l.snapshot);
	sheet_begin(sheet, clean->l.snapshot.taken);
	status = show(clean, sheet);
	if (status < 0)
		*told = sheet_end(sheet);
	/* Nobody can agree to what could not be written. */
	return status < 0 && sheet->context->out.error ? EXIT_FAILED : status;
}

static int act(struct context *c, struct cleaning *clean, struct sheet *sheet, int *told)
{
	const struct options *o = &c->options;
	int status = -1;

	if (is_for_machines(o)) {
		status = carry_out(c, clean);
		return status < 0 ? print(clean, sheet, told) : status;
	}
	/* Without the plan nothing else says what could not be looked at. */
	if (o->yes && !o->verbose)
		*told = warnings_tell(c, &sheet->warnings, false);
	else
		status = print(clean, sheet, told);
	if (status < 0 && !o->yes && clean->planned > 0 && !confirmed(c, clean)) {
		diag_error(&c->diag, "nothing was removed");
		return EXIT_FAILED;
	}
	return status < 0 ? carry_out(c, clean) : status;
}

/* Whether all that was planned was done, and as it should. */
static bool is_done(const struct cleaning *clean, bool removed)
{
	for (size_t i = 0; removed && i < clean->count; i++) {
		const struct candidate *c = &clean->items[i];

		if (c->action == CLEAN_REMOVE && c->outcome != OUTCOME_GONE &&
		    (c->outcome != OUTCOME_REMOVED || c->why.len > 0))
			return false;
	}
	return true;
}

static int show_and_act(struct context *c, struct cleaning *clean, struct sheet *sheet)
{
	bool remove = c->options.remove && !c->options.dry_run;
	int status, told = EXIT_DONE;
	sigset_t before;

	sigprocmask(SIG_BLOCK, NULL, &before);
	status = remove ? act(c, clean, sheet, &told) : print(clean, sheet, &told);
	if (status < 0) {
		if (!is_for_machines(&c->options))
			cleaning_say_sum(c, clean, remove);
		status = is_done(clean, remove) ? told : EXIT_FAILED;
	}
	/* Now the signals that waited may end it. */
	out_flush(&c->out);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* Kinds whose objects go with their holders leave nothing behind. -1 or the exit status. */
static int check_kinds(struct context *c, const struct opt_rest *rest, struct kind_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct kind *k = list->items[i];
		bool named = false;

		for (size_t w = 0; w < rest->count; w++)
			named |= kind_find(span_of(rest->words[w])) == k;
		if (k->reclaim)
			list->items[kept++] = k;
		else if (named)
			return diag_usage(&c->diag,
					  "%s: its objects live only as long as somebody holds them",
					  k->name);
	}
	list->count = kept;
	return kept > 0 ? -1 : diag_usage(&c->diag, "none of these kinds leaves anything behind");
}

static int check_options(struct context *c)
{
	const struct options *o = &c->options;

	if (o->yes && !o->remove)
		return diag_usage(&c->diag, "--yes goes with --remove");
	if (o->max.set && o->max.value == 0)
		return diag_usage(&c->diag, "--max must be 1 or more");
	if (o->remove && !o->yes && !o->dry_run && (is_for_machines(o) || !isatty(STDIN_FILENO)))
		return diag_usage(&c->diag, "--remove needs --yes where nobody can be asked");
	return -1;
}

/* The filters are of the objects' own fields: what is left of them are the rows of the plan. */
static int take_filters(struct context *c, struct cleaning *clean)
{
	const char *output = c->options.output, *sort = c->options.sort;
	struct sheet objects = { 0 };
	int status;

	c->options.output = c->options.sort = NULL; /* they are of the plan */
	status = sheet_init(&objects, c,
			    &(struct sheet_plan){ .schemas = clean->l.schemas,
						  .nschemas = clean->l.nkinds,
						  .array = "objects" });
	c->options.output = output;
	c->options.sort = sort;
	clean->filters = objects.filters;
	objects.filters = (struct filters){ 0 };
	sheet_free(&objects);
	opt_words_free(&c->options.filters);
	c->options.user = NULL;
	return status;
}

static int take(struct context *c, struct cleaning *clean, struct scan_request *request, struct sheet *sheet)
{
	int e;

	request->depth.prove = true;
	request->threads = listing_threads(c);
	for (size_t i = 0; i < clean->l.nkinds; i++)
		request->sources |= clean->l.kinds[i]->sources |
				    schema_sources(clean->l.schemas[i],
						   filters_fields(&clean->filters, clean->l.schemas[i]));
	request->sources |= SOURCE_HOLDERS | SOURCE_BLOCKED;
	if (request->sources & SOURCE_FIFO)
		request->sources |= SOURCE_OPENERS;
	clean->l.taken = true;
	e = snapshot_take(&clean->l.snapshot, &c->scan, request, &sheet->warnings);
	if (e == 0)
		e = cleaning_plan(clean, &sheet->warnings);
	return e < 0 ? out_of_memory(c) : -1;
}

/* Beside the default fields: of a table for machines what became of each is the point. */
static const char *usual_output(const struct options *o)
{
	if (o->raw && o->remove && !o->dry_run)
		return o->verbose ? "+action,outcome,why" : "+outcome,why";
	return o->verbose ? "+action,why" : NULL;
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *schemas = &clean_schema;
	struct scan_request request = { 0 };
	struct kind_list list = { 0 };
	struct cleaning clean = { 0 };
	struct sheet sheet = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_clean, argc, argv, &rest);
	const struct options *o = &c->options;

	if (status < 0)
		status = check_options(c);
	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &o->kinds,
				      o->paths.count > 0 ? "all" : "persistent", &list);
	if (status < 0)
		status = check_kinds(c, &rest, &list);
	if (status < 0)
		status = select_paths(c, &list, &request);
	clean.rules = (struct reclaim){ .idle = o->idle, .stale = o->stale, .messages = o->with_messages };
	clean.older_than = o->older_than.set ? o->older_than.value : USUAL_AGE;
	clean.most = o->max.set ? o->max.value : UINT64_MAX;
	clean.name = o->name;
	if (!o->output)
		c->options.output = usual_output(o);
	/* Somebody who opens a file while a lease on it is held makes the kernel tell this process. */
	signal(SIGIO, SIG_IGN);
	if (status < 0)
		status = listing_init_kinds(&clean.l, c, &list);
	if (status < 0)
		status = take_filters(c, &clean);
	if (status < 0)
		status = sheet_init(
			&sheet, c,
			&(struct sheet_plan){ .schemas = &schemas, .nschemas = 1, .array = "candidates" });
	if (status < 0)
		status = take(c, &clean, &request, &sheet);
	if (status < 0)
		status = show_and_act(c, &clean, &sheet);
	cleaning_free(&clean);
	scan_request_free(&request);
	sheet_free(&sheet);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_clean = {
	.name = "clean",
	.arguments = "[KIND...]",
	.summary = "Show what was left behind and nobody can come back to, and remove it",
	.text = "Only what is proved to be held by nobody is taken, and each object is judged again\n"
		"right before it goes. Without --remove the plan is printed, and nothing is removed.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_PATHS |
		   OPTIONS_LETTERS | OPTIONS_CLEAN,
	.capabilities = RIGHTS_PROVE,
	.words = COMPLETE_KIND,
	.run = run,
};
