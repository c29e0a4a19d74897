/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "cmd/hold.h"
#include "cmd/listing.h"
#include "cmd/options.h"
#include "cmd/registry.h"
#include "cmd/targets.h"
#include "kind/registry.h"
#include "lib/escape.h"

/* Whether the object itself is to be shown, not only its reference. */
static bool wants_record(const struct options *o)
{
	return o->json || o->jsonl || o->raw || o->null || o->output;
}

/* Shows what was made, as the listing was prepared to. */
static int show_created(struct listing *l, const char *ref)
{
	struct context *c = l->context;
	struct scan_request request = { 0 };
	struct targets targets = { 0 };
	struct matches m = { 0 };
	char *word = (char *)(uintptr_t)ref;
	int status = select_targets(c, &word, 1, NULL, &targets);

	if (status < 0 && targets_request(&targets, &request) < 0)
		status = out_of_memory(c);
	if (status < 0)
		status = listing_take(l, &request);
	if (status < 0 && target_resolve(c, "create", &targets.items[0], &l->snapshot, &m, &status) == 0) {
		target_not_found(c, "create", &targets.items[0], &l->snapshot, &m);
		status = EXIT_FAILED;
	}
	if (status < 0)
		listing_begin(l);
	for (size_t i = 0; status < 0 && i < m.count; i++)
		if (listing_show(l, 0, m.items[i]) < 0)
			status = out_of_memory(c);
	if (status < 0)
		status = sheet_end(&l->sheet);
	matches_free(&m);
	scan_request_free(&request);
	targets_free(&targets);
	return status;
}

/* Says why nothing was made; the exit status. */
static int say_failure(struct context *c, const struct kind *k, const struct create_args *args, int r,
		       const struct report *report)
{
	const char *text = report->text.ptr, *space = args->name ? " " : "",
		   *name = args->name ? args->name : "";

	if (report->usage)
		return diag_usage(&c->diag, "create %s: %s", k->name, text ? text : error_text(r));
	if (text)
		diag_error(&c->diag, "create %s%s%s: %s (%s)", k->name, space, name, error_text(r), text);
	else
		diag_error(&c->diag, "create %s%s%s: %s", k->name, space, name, error_text(r));
	return EXIT_FAILED;
}

/* Shows the reference of what was made, or all of it. The exit status. */
static int show(struct listing *l, const struct report *report)
{
	struct buf *out = out_buf(&l->context->out);

	if (wants_record(&l->context->options))
		return show_created(l, report->ref.ptr);
	escape_into(out, report->ref);
	buf_putc(out, '\n');
	return EXIT_DONE;
}

/* -N: the one place that it is to be made in. -1 or the exit status. */
static int find_place(struct context *c, const struct kind *k, struct snapshot *s,
		      const struct snapshot **place)
{
	const struct span nothing = SPAN("\n");
	struct scan_request request = { .sources = k->sources, .incidental = k->sources };
	struct warnings warnings = { 0 };
	const struct options *o = &c->options;
	int status = -1;

	if (kind_part(k) != PLACE_IPC && kind_part(k) != PLACE_SHM)
		return diag_usage(&c->diag, "create %s: --ipcns is for what outlives its processes", k->name);
	if (o->ipcns.count > 1 || strcmp(o->ipcns.items[0].arg, "all") == 0)
		return diag_usage(&c->diag, "create %s: --ipcns takes one place", k->name);
	/* What is there already does not matter. */
	if (name_list_add(&request.shm_names, nothing) < 0 ||
	    name_list_add(&request.queue_names, nothing) < 0 ||
	    snapshot_take(s, &c->scan, &request, &warnings) < 0)
		status = out_of_memory(c);
	*place = status < 0 ? kind_next_place(k, s, NULL) : NULL;
	if (status < 0)
		status = warnings_tell(c, &warnings, false) == EXIT_DONE ? -1 : EXIT_FAILED;
	if (status < 0 && !*place) {
		diag_error(&c->diag, "create %s: --ipcns %s: there is no such place for it", k->name,
			   o->ipcns.items[0].arg);
		status = EXIT_FAILED;
	} else if (status < 0 && kind_next_place(k, s, *place)) {
		diag_error(&c->diag, "create %s: --ipcns %s: there are several there; name one by its number",
			   k->name, o->ipcns.items[0].arg);
		status = EXIT_FAILED;
	}
	warnings_free(&warnings);
	scan_request_free(&request);
	return status;
}

/* What would be wrong with the output is found before anything is made. */
static int make(struct context *c, const struct kind *k, const struct create_args *args)
{
	struct kind_list list = { .items = &k, .count = 1 };
	struct report report = { 0 };
	struct snapshot elsewhere = { .shm.root = -1, .queues.root = -1 };
	const struct snapshot *place = NULL;
	struct listing l;
	int status = listing_init(&l, c, &list, "objects", true), r = 0;

	if (status < 0 && c->options.ipcns.count > 0)
		status = find_place(c, k, &elsewhere, &place);
	if (status < 0 && (out_reserve(&c->out) < 0 || report_begin(&report) < 0))
		status = out_of_memory(c);
	if (status < 0)
		r = place ? kind_create(k, place, args, &report) : k->create(args, &report);
	if (r < 0)
		status = say_failure(c, k, args, r, &report);
	else if (status < 0 && report.existed)
		diag_note(&c->diag, "%s exists already; it was not changed", report.ref.ptr);
	if (status < 0) {
		status = show(&l, &report);
		if (status != EXIT_DONE)
			diag_error(&c->diag, "create %s: %s was made, but cannot be shown", k->name,
				   report.ref.ptr);
	}
	listing_free(&l);
	snapshot_free(&elsewhere);
	report_free(&report);
	return status;
}

/* Of a kind whose objects must be held: nothing is left of it in the end. */
static int make_and_hold(struct context *c, const struct kind *k, const struct create_args *args,
			 char **command)
{
	struct kind_list list = { .items = &k, .count = 1 };
	struct report report = { 0 };
	const struct opt_u64 forever = { .set = false };
	struct listing l = { 0 };
	struct hold hold;
	int status = command ? -1 : listing_init(&l, c, &list, "objects", true);
	int r = 0;

	if (status < 0 && (out_reserve(&c->out) < 0 || report_begin(&report) < 0))
		status = out_of_memory(c);
	if (status < 0) {
		if (!k->waits)
			hold_begin(&hold, k);
		r = k->create(args, &report);
		if (k->waits)
			hold_begin(&hold, k);
	}
	if (r < 0) {
		status = say_failure(c, k, args, r, &report);
	} else if (status < 0 && command) {
		status = hold_run(c, &hold, k, &report, command);
	} else if (status < 0) {
		status = show(&l, &report);
		/* Whoever waits for the reference must get it now. */
		if (out_flush(&c->out) < 0)
			status = EXIT_FAILED;
		if (status == EXIT_DONE && hold_wait(&hold, k->waits ? &forever : &args->timeout) == SIGIO)
			diag_note(&c->diag, "%.*s: given up, somebody wants the file", (int)report.ref.len,
				  report.ref.ptr);
	}
	listing_free(&l);
	report_free(&report);
	return status;
}

/* The kind that the first word names. -1 to go on, or the exit status. */
static int choose_kind(struct context *c, const char *word, const struct kind **k)
{
	const char *near;

	*k = kind_find(span_of(word));
	if (*k && (*k)->create)
		return -1;
	if (*k)
		return diag_usage(&c->diag,
				  "create: '%s' is not built yet; 'ipcctl kinds' says which kinds are", word);
	near = kind_suggest(word, false);
	if (near)
		return diag_usage(&c->diag, "create: no kind is called '%s'; did you mean '%s'?", word, near);
	return diag_usage(&c->diag, "create: no kind is called '%s'; 'ipcctl kinds' lists them", word);
}

static void print_kind_help(const struct kind *k, struct buf *b)
{
	static const char with_command[] =
		"\nIt lives only as long as it is held. COMMAND finds it in its environment:\n"
		"IPCCTL_REF, and the numbers of its descriptors; the exit status is COMMAND's.\n"
		"Without COMMAND the reference is printed, and it is held until SIGINT, SIGTERM\n";
	static const char only_held[] =
		"\nIt lives only as long as it is held. The reference is printed, and it is held\n"
		"until SIGINT, SIGTERM ";
	struct opt_group g = { "Options of this kind", k->create_opts, k->ncreate_opts, NULL };
	struct opt_group holding = { "Holding", hold_opts, nhold_opts, NULL };

	buf_printf(b, "Usage: ipcctl create %s", k->name);
	if (k->name_arg)
		buf_printf(b, k->name_optional ? " [%s]" : " %s", k->name_arg);
	buf_printf(b, " [OPTION...]%s\n\n%s, made by %s.\n",
		   k->transient && !k->no_command ? " [-- COMMAND...]" : "", k->title, k->create_means);
	if (k->transient)
		buf_printf(b, "%sor SIGHUP%s.\n", k->no_command ? only_held : with_command,
			   k->waits ? "" : ", or for --timeout");
	opt_help(&g, b);
	if (k->transient && !k->waits)
		opt_help(&holding, b);
	buf_puts(b, "\n'ipcctl create --help' shows the options that all kinds take.\n");
}

static void help_kind(const void *about, struct buf *b)
{
	print_kind_help(about, b);
}

/* What stands behind "--" of a kind that is held. -1 or the exit status. */
static int check_command(struct context *c, const struct kind *k, const struct create_args *args,
			 char **command)
{
	if (!command)
		return -1;
	if (k->no_command)
		return diag_usage(&c->diag, "create %s takes no COMMAND: it only holds the object", k->name);
	if (!command[0])
		return diag_usage(&c->diag, "create %s: a COMMAND is missing behind '--'", k->name);
	if (args->timeout.set && !k->waits)
		return diag_usage(&c->diag, "--timeout and a COMMAND exclude each other: it is held until "
					    "COMMAND ends");
	if (wants_record(&c->options))
		return diag_usage(&c->diag, "with a COMMAND nothing is shown: standard output is its own");
	return -1;
}

/* The words behind the kind. -1 or the exit status. */
static int take_words(struct context *c, const struct kind *k, struct create_args *args,
		      const struct opt_rest *rest)
{
	size_t most = k->name_arg ? 1 : 0;

	if (rest->count > most)
		return diag_usage(&c->diag, "create %s: '%s' is one word too many%s", k->name,
				  rest->words[most],
				  k->transient && !k->no_command ? "; a COMMAND stands behind '--'" : "");
	if (k->name_arg && !k->name_optional && rest->count == 0)
		return diag_usage(&c->diag, "create %s needs a %s; 'ipcctl create %s --help' says more",
				  k->name, k->name_arg, k->name);
	args->name = rest->count ? rest->words[0] : NULL;
	return check_command(c, k, args, rest->command);
}

/* What follows the kind: its options, the common ones, and perhaps a name. */
static int parse_rest(struct context *c, const struct kind *k, struct create_args *args, int argc,
		      char **argv, struct opt_rest *rest)
{
	struct option_groups g;
	char hint[80];
	int status;

	snprintf(hint, sizeof(hint), "'ipcctl create %s --help' lists them", k->name);
	if (option_groups_init(&g, command_create.options, &c->options) < 0)
		return out_of_memory(c);
	g.groups[g.count++] = (struct opt_group){ NULL, k->create_opts, k->ncreate_opts, args };
	if (k->transient && !k->waits)
		g.groups[g.count++] = (struct opt_group){ NULL, hold_opts, nhold_opts, args };
	status = parse_with(
		c,
		&(struct opt_parse){
			.groups = g.groups, .ngroups = g.count, .takes_command = k->transient, .hint = hint },
		argc, argv, rest, help_kind, k);
	option_groups_free(&g);
	return status < 0 ? take_words(c, k, args, rest) : status;
}

static int run(struct context *c, int argc, char **argv)
{
	struct create_args args = { 0 };
	struct opt_rest head = { 0 }, rest = { 0 };
	struct option_groups g;
	const struct kind *k = NULL;
	int status = -1, r;

	/* Options before the kind: only those that every kind takes. */
	if (option_groups_init(&g, command_create.options, &c->options) < 0)
		return out_of_memory(c);
	r = opt_parse(
		&(struct opt_parse){ .groups = g.groups,
				     .ngroups = g.count,
				     .first_word_ends = true,
				     .hint = "the kind comes first: ipcctl create KIND [NAME] [OPTION...]" },
		argc, argv, &head, &c->diag);
	option_groups_free(&g);
	if (r != 0)
		status = r == -ENOMEM ? out_of_memory(c) : r;
	else if ((int)head.consumed == argc && c->options.help) {
		command_print_help(&command_create, out_buf(&c->out));
		status = EXIT_DONE;
	} else if ((int)head.consumed == argc)
		status = diag_usage(&c->diag, "create needs a kind; 'ipcctl kinds' lists them");
	if (status < 0)
		status = choose_kind(c, argv[head.consumed], &k);
	if (status < 0)
		status = parse_rest(c, k, &args, argc - (int)head.consumed - 1, argv + head.consumed + 1,
				    &rest);
	if (status < 0 && k->transient && c->options.ipcns.count > 0)
		status = diag_usage(&c->diag, "create %s: --ipcns is for what outlives its processes",
				    k->name);
	if (status < 0 && k->transient)
		status = make_and_hold(c, k, &args, rest.command);
	else if (status < 0)
		status = make(c, k, &args);
	opt_rest_free(&head);
	opt_rest_free(&rest);
	return status;
}

const struct command command_create = {
	.name = "create",
	.aliases = (const char *const[]){ "mk", NULL },
	.arguments = "KIND [NAME] [-- COMMAND...]",
	.summary = "Make an object and print its reference",
	.text = "An object that exists is an error, unless --exist-ok is said; it is never changed.\n"
		"Objects that live only as long as they are held are made for COMMAND, which finds\n"
		"them in its environment: IPCCTL_REF, and the numbers of its descriptors. Without\n"
		"COMMAND they are held until SIGINT, SIGTERM, SIGHUP or --timeout.\n"
		"'ipcctl create KIND --help' shows the options of that kind.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_OUTPUT,
	.capabilities = RIGHTS_CREATE,
	.words = COMPLETE_KIND,
	.run = run,
};
