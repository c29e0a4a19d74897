/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

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
	if (status < 0)
		target_resolve(c, "create", &targets.items[0], &l->snapshot, &m, &status);
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

/* What would be wrong with the output is found before anything is made. */
static int make(struct context *c, const struct kind *k, const struct create_args *args)
{
	struct kind_list list = { .items = &k, .count = 1 };
	struct report report = { 0 };
	struct listing l;
	int status = listing_init(&l, c, &list, "objects", true);
	int r = status < 0 ? k->create(args, &report) : 0;

	if (r < 0)
		status = say_failure(c, k, args, r, &report);
	else if (status < 0 && report.existed)
		diag_note(&c->diag, "%s exists already; it was not changed", report.ref.ptr);
	if (status < 0 && wants_record(&c->options)) {
		status = show_created(&l, report.ref.ptr);
	} else if (status < 0) {
		escape_into(out_buf(&c->out), report.ref);
		buf_putc(out_buf(&c->out), '\n');
		status = EXIT_DONE;
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
	struct opt_group g = { "Options of this kind", k->create_opts, k->ncreate_opts, NULL };

	buf_printf(b, "Usage: ipcctl create %s%s%s [OPTION...]\n\n%s, made by %s.\n", k->name,
		   k->name_arg ? " " : "", k->name_arg ? k->name_arg : "", k->title, k->create_means);
	opt_help(&g, b);
	buf_puts(b, "\n'ipcctl create --help' shows the options that all kinds take.\n");
}

static void help_kind(const void *about, struct buf *b)
{
	print_kind_help(about, b);
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
	status = parse_with(c, &(struct opt_parse){ .groups = g.groups, .ngroups = g.count, .hint = hint },
			    argc, argv, rest, help_kind, k);
	option_groups_free(&g);
	if (status >= 0)
		return status;
	if (rest->count > (k->name_arg ? 1 : 0))
		return diag_usage(&c->diag, "create %s: '%s' is one word too many", k->name,
				  rest->words[k->name_arg ? 1 : 0]);
	if (k->name_arg && rest->count == 0)
		return diag_usage(&c->diag, "create %s needs a %s, such as /jobs", k->name, k->name_arg);
	args->name = rest->count ? rest->words[0] : NULL;
	return -1;
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
	if (status < 0)
		status = make(c, k, &args);
	opt_rest_free(&head);
	opt_rest_free(&rest);
	return status;
}

const struct command command_create = {
	.name = "create",
	.aliases = (const char *const[]){ "mk", NULL },
	.arguments = "KIND [NAME]",
	.summary = "Make an object and print its reference",
	.text = "An object that exists is an error, unless --exist-ok is said; it is never changed.\n"
		"'ipcctl create KIND --help' shows the options of that kind.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_OUTPUT,
	.words = COMPLETE_KIND,
	.run = run,
};
