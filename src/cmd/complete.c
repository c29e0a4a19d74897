/* SPDX-License-Identifier: MIT */
/*
 * `ipcctl __complete -- WORD...`: the words behind "ipcctl" up to and with the one under
 * the cursor. Prints the candidates, one a line, with a tab and a description
 * where there is one. The shells' shims filter by prefix and do no more. Only a
 * word that names an object makes it look at the system, at that kind alone.
 */
#include <errno.h>
#include <pwd.h>

#include "cmd/hold.h"
#include "cmd/listing.h"
#include "cmd/options.h"
#include "cmd/registry.h"
#include "kind/registry.h"
#include "lib/escape.h"
#include "lib/signals.h"

#define MOST_USERS 200 /* a directory service may know a hundred thousand */

struct completion {
	struct context *context;
	struct buf *out;
	const struct command *command; /* NULL: still to be typed */
	const struct kind *kind;       /* create: the kind that was typed */
	struct opt_group groups[MOST_GROUPS + 1];
	size_t ngroups;
	struct span head; /* what of the word under the cursor stands already: "ref," */
};

static void offer(struct completion *c, const char *word, const char *help)
{
	buf_put_span(c->out, c->head);
	buf_puts(c->out, word);
	if (help) {
		buf_putc(c->out, '\t');
		buf_puts(c->out, help);
	}
	buf_putc(c->out, '\n');
}

static void offer_commands(struct completion *c)
{
	for (const struct command *const *k = commands; *k; k++)
		if (!(*k)->hidden)
			offer(c, (*k)->name, (*k)->summary);
}

static void offer_kinds(struct completion *c)
{
	for (const struct kind *const *k = kinds; *k; k++)
		if (kind_is_built(*k))
			offer(c, (*k)->name, (*k)->title);
	if (c->command == &command_create)
		return;
	for (const struct kind_group_name *g = kind_groups; g->name; g++)
		offer(c, g->name, NULL);
}

static void offer_options(struct completion *c)
{
	_cleanup_(buf_free) struct buf word = { 0 };

	for (size_t g = 0; g < c->ngroups; g++)
		for (size_t i = 0; i < c->groups[g].count; i++) {
			const struct opt *o = &c->groups[g].opts[i];

			buf_reset(&word);
			buf_printf(&word, "--%s", o->name);
			if (buf_cstr(&word))
				offer(c, word.data, o->help);
		}
}

static void offer_fields(struct completion *c, const char *word)
{
	const char *comma = strrchr(word, ',');
	size_t done = comma ? (size_t)(comma + 1 - word) : 0;

	/* "ref,na", "+st", "-size": the field is what follows. */
	done += word[done] == '+' || word[done] == '-';
	c->head = (struct span){ word, done };
	for (const struct kind *const *k = kinds; *k; k++)
		for (size_t i = 0; kind_is_built(*k) && i < (*k)->schema->nfields; i++) {
			const struct field *f = &(*k)->schema->fields[i];
			bool seen = false;

			/* Each name once, from the first kind that has it. */
			for (const struct kind *const *before = kinds; before != k; before++)
				seen |= kind_is_built(*before) &&
					schema_find((*before)->schema, span_of(f->name)) >= 0;
			if (!seen)
				offer(c, f->name, f->help);
		}
}

static void offer_users(struct completion *c, const char *word)
{
	struct passwd *pw;
	int left = MOST_USERS;

	setpwent();
	while (left > 0 && (pw = getpwent()) != NULL)
		if (strncmp(pw->pw_name, word, strlen(word)) == 0) {
			offer(c, pw->pw_name, NULL);
			left--;
		}
	endpwent();
}

static int offer_ref(void *data, size_t index _unused_, const struct record *r)
{
	struct completion *c = data;
	int ref = schema_find(r->schema, SPAN("ref"));

	/* A name that would not survive the shell's line is not offered. */
	if (r->values[ref].state == VALUE_SET && !needs_escape(r->values[ref].str)) {
		buf_put_span(c->out, r->values[ref].str);
		buf_putc(c->out, '\n');
	}
	return 0;
}

static void offer_objects(struct completion *c, const struct kind *k)
{
	struct kind_list list = { .items = &k, .count = 1 };
	struct scan_request request = { .sources = k->sources };
	struct warnings warnings = { 0 };
	struct fieldset want = { (uint64_t)1 << schema_find(k->schema, SPAN("ref")) };
	struct listing l;
	int e = listing_init_kinds(&l, c->context, &list) < 0 ? 0 : -ENOMEM;

	if (e == 0) {
		l.taken = true;
		e = snapshot_take(&l.snapshot, &c->context->scan, &request, &warnings);
		if (e == 0)
			e = listing_each(&l, 0, want, offer_ref, c);
	}
	if (e < 0)
		c->out->failed = true;
	listing_free(&l);
	warnings_free(&warnings);
}

static void offer_refs(struct completion *c, const char *word)
{
	const char *colon = strchr(word, ':');
	const struct kind *k = NULL;
	_cleanup_(buf_free) struct buf name = { 0 };

	if (colon) {
		k = kind_find((struct span){ word, (size_t)(colon - word) });
		if (k && kind_is_built(k))
			offer_objects(c, k);
		return;
	}
	for (const struct kind *const *each = kinds; *each; each++) {
		if (!kind_is_built(*each))
			continue;
		buf_reset(&name);
		buf_printf(&name, "%s:", (*each)->name);
		if (buf_cstr(&name))
			offer(c, name.data, (*each)->title);
	}
}

static void offer_signals(struct completion *c)
{
	const char *name;

	for (size_t i = 0; (name = signal_name_at(i)) != NULL; i++)
		offer(c, name, NULL);
}

static void offer_choices(struct completion *c, const char *choices)
{
	while (choices && *choices) {
		size_t n = strcspn(choices, "|");

		buf_put(c->out, choices, n);
		buf_putc(c->out, '\n');
		choices += n + (choices[n] == '|');
	}
}

static void offer_kind_of(struct completion *c, enum opt_complete what, const char *word, const char *choices)
{
	switch (what) {
	case COMPLETE_FIELD:
		offer_fields(c, word);
		break;
	case COMPLETE_KIND:
		offer_kinds(c);
		break;
	case COMPLETE_REF:
		offer_refs(c, word);
		break;
	case COMPLETE_COMMAND:
		offer_commands(c);
		break;
	case COMPLETE_USER:
		offer_users(c, word);
		break;
	case COMPLETE_CHOICE:
		offer_choices(c, choices);
		break;
	case COMPLETE_SIGNAL:
		offer_signals(c);
		break;
	case COMPLETE_FILE: /* the shell's own business */
	case COMPLETE_NOTHING:
		break;
	}
}

/* The option that a word is, if its argument is the next word, or may be: the shims cut
 * --option=value in two. */
static const struct opt *pending_option(const struct completion *c, const char *word)
{
	for (size_t g = 0; g < c->ngroups; g++)
		for (size_t i = 0; i < c->groups[g].count; i++) {
			const struct opt *o = &c->groups[g].opts[i];
			bool here = (word[0] == '-' && word[1] == '-' && strcmp(word + 2, o->name) == 0) ||
				    (word[0] == '-' && o->letter && word[1] == o->letter && word[2] == '\0');

			if (here && o->arg)
				return o;
		}
	return NULL;
}

static int load_groups(struct completion *c, struct option_groups *g)
{
	unsigned set = c->command ? c->command->options : (unsigned)OPTIONS_LEADING;

	option_groups_free(g);
	if (option_groups_init(g, set, &c->context->options) < 0)
		return -ENOMEM;
	memcpy(c->groups, g->groups, g->count * sizeof(g->groups[0]));
	c->ngroups = g->count;
	if (c->kind)
		c->groups[c->ngroups++] =
			(struct opt_group){ .opts = c->kind->create_opts, .count = c->kind->ncreate_opts };
	if (c->kind && c->kind->transient && !c->kind->waits)
		c->groups[c->ngroups++] = (struct opt_group){ .opts = hold_opts, .count = nhold_opts };
	return 0;
}

/* What may stand at the last word. */
static void offer_word(struct completion *c, const struct opt *pending, const char *word)
{
	if (pending)
		offer_kind_of(c, pending->complete, word, pending->choices);
	if (pending && !pending->optional)
		return;
	if (word[0] == '-')
		offer_options(c);
	else if (!c->command)
		offer_commands(c);
	else if (!(c->command == &command_create && c->kind))
		offer_kind_of(c, c->command->words, word, NULL);
}

static int complete(struct completion *c, char **words, size_t n)
{
	struct option_groups g = { 0 };
	const struct opt *pending = NULL;
	bool others = false;
	size_t arguments = 0;
	int e = load_groups(c, &g);

	for (size_t i = 0; e == 0 && i + 1 < n; i++) {
		if (pending && !pending->optional) {
			pending = NULL;
			continue;
		}
		pending = NULL;
		if (strcmp(words[i], "--") == 0 && c->kind) {
			others = true; /* COMMAND: the shell knows better */
		} else if (words[i][0] == '-') {
			pending = pending_option(c, words[i]);
		} else if (!c->command) {
			c->command = command_find(words[i]);
			if (!c->command)
				break;
			e = load_groups(c, &g);
		} else if (arguments++ == 0 && c->command == &command_create) {
			c->kind = kind_find(span_of(words[i]));
			e = load_groups(c, &g);
		}
	}
	if (e == 0 && n > 0 && !others)
		offer_word(c, pending, words[n - 1]);
	option_groups_free(&g);
	return e;
}

static int run(struct context *c, int argc, char **argv)
{
	struct completion completion = { .context = c, .out = out_buf(&c->out) };
	int status = command_ready(c, false);

	if (status >= 0)
		return status;

	if (argc > 0 && strcmp(argv[0], "--") == 0) {
		argc--;
		argv++;
	}
	return complete(&completion, argv, (size_t)argc) < 0 ? out_of_memory(c) : EXIT_DONE;
}

const struct command command_complete = {
	.name = "__complete",
	.arguments = "-- WORD...",
	.summary = "Print what may stand at the last word; for the shells",
	.options = OPTIONS_GLOBAL,
	.capabilities = RIGHTS_LOOK,
	.hidden = true,
	.run = run,
};
