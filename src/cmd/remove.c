/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "cmd/kill.h"
#include "cmd/plan.h"
#include "cmd/registry.h"
#include "kind/registry.h"
#include "lib/escape.h"

static void say(struct plan *p, const char *what, const struct removal *r, struct span detail)
{
	struct buf *out = out_buf(&p->context->out);

	buf_puts(out, what);
	escape_into(out, r->ref);
	if (detail.len > 0) {
		buf_puts(out, ": ");
		escape_into(out, detail);
	}
	buf_putc(out, '\n');
	out_flush_if_full(&p->context->out);
}

/* What cannot be removed, and why; who holds it is who can end it. */
static void say_refusal(struct plan *p, const struct removal *r, struct span text)
{
	_cleanup_(buf_free) struct buf why = { 0 };
	struct diag *d = &p->context->diag;
	int n = (int)r->ref.len;

	buf_put_span(&why, text);
	if (p->context->options.all) {
		diag_note(d, "%.*s is spared: %s", n, r->ref.ptr, buf_cstr(&why) ? why.data : "");
		return;
	}
	if (r->kind->held && p->snapshot.holders.walked)
		kill_name_holders(p, r, &why);
	diag_error(d, "remove %.*s: %s", n, r->ref.ptr, buf_cstr(&why) ? why.data : error_text(ENOMEM));
}

static void say_failure(struct plan *p, const struct removal *r, int error, struct span text)
{
	struct diag *d = &p->context->diag;
	int n = (int)r->ref.len;

	if (error == -ENOTSUP)
		say_refusal(p, r, text);
	else if (error == -ESTALE)
		diag_error(d, "remove %.*s: another object has taken its place; it is spared", n, r->ref.ptr);
	else if (text.len > 0)
		diag_error(d, "remove %.*s: %s (%.*s)", n, r->ref.ptr, error_text(error), (int)text.len,
			   text.ptr);
	else
		diag_error(d, "remove %.*s: %s", n, r->ref.ptr, error_text(error));
}

static void carry_out(struct plan *p)
{
	const struct options *o = &p->context->options;

	for (size_t i = 0; i < p->count; i++) {
		const struct removal *r = &p->items[i];
		struct report report = { 0 };
		int e;

		if (r->ended)
			continue;
		if (r->doubtful) {
			diag_note(&p->context->diag,
				  "%.*s is spared: it may be of another kind; its own name removes it",
				  (int)r->ref.len, r->ref.ptr);
			continue;
		}
		if (r->kind->irremovable) {
			say_refusal(p, r, span_of(r->kind->irremovable));
			continue;
		}
		if (o->dry_run) {
			say(p, "would remove ", r, report.text);
			continue;
		}
		e = kind_remove(r->kind, &p->snapshot, r->index, &report);
		if (e == 0 && !o->quiet)
			say(p, "removed ", r, report.text);
		/* With --all, or if asked so, what is gone already is as wanted. */
		else if (e < 0 && !(e == -ENOENT && (o->all || o->missing_ok)))
			say_failure(p, r, e, report.text);
		report_free(&report);
	}
}

static bool confirmed(struct plan *p)
{
	char question[64];

	snprintf(question, sizeof(question), "Remove %zu object%s?", p->count, p->count == 1 ? "" : "s");
	return user_agrees(p->context, question);
}

static int check_options(struct context *c, const struct opt_rest *rest)
{
	const struct options *o = &c->options;

	if (o->all && o->kill.count > 0)
		return diag_usage(&c->diag, "--kill takes single objects, not --all");
	if (o->all && o->targets.count > 0)
		return diag_usage(&c->diag, "--all takes kinds, not single objects");
	if (rest->count == 0 && o->targets.count == 0)
		return diag_usage(&c->diag, o->all ? "--all needs the kinds that are to go" :
						     "remove needs a reference, such as 'ipcctl list' shows");
	if (o->all && !o->yes && !o->dry_run && !isatty(STDIN_FILENO))
		return diag_usage(&c->diag, "--all needs --yes where nobody can be asked");
	return -1;
}

static bool is_named(const struct opt_rest *rest, const struct kind *k)
{
	for (size_t i = 0; i < rest->count; i++)
		if (kind_find(span_of(rest->words[i])) == k)
			return true;
	return false;
}

/*
 * --all: a group does not stand for kinds whose objects are in use, such as every terminal or
 * open FIFO of the system; those go only where the kind itself is named. -1 or the exit status.
 */
static int narrow_kinds(struct context *c, const struct opt_rest *rest, struct kind_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct kind *k = list->items[i];

		if (!(k->groups & GROUP_PERSISTENT) && !is_named(rest, k))
			continue;
		if (list->parts[i])
			return diag_usage(&c->diag, "--all takes whole kinds; name %s, or single objects",
					  k->name);
		if (k->irremovable)
			return diag_usage(&c->diag, "--all %s: %s", k->name, k->irremovable);
		list->items[kept++] = k;
	}
	list->count = kept;
	if (kept == 0)
		return diag_usage(&c->diag, "--all: these live only while they are in use; name their kind");
	return -1;
}

/* The objects that the words mean, or with --all the kinds. -1 or the exit status. */
static int select_objects(struct context *c, const struct opt_rest *rest, struct targets *targets,
			  struct kind_list *list)
{
	int status;

	if (c->options.all) {
		status = select_kinds(c, rest->words, rest->count, NULL, "persistent", list);
		return status < 0 ? narrow_kinds(c, rest, list) : status;
	}
	status = select_targets(c, rest->words, rest->count, &c->options.targets, targets);
	if (status < 0 && c->options.kill.count > 0)
		status = kill_check(c, targets);
	return status;
}

static int run(struct context *c, int argc, char **argv)
{
	struct targets targets = { 0 };
	struct kind_list list = { 0 };
	struct opt_rest rest;
	struct plan p;
	int status = command_parse(c, &command_remove, argc, argv, &rest), number;

	plan_init(&p, c);
	if (status < 0)
		status = check_options(c, &rest);
	if (status < 0)
		status = kill_signal(c, &number);
	if (status < 0)
		status = select_objects(c, &rest, &targets, &list);
	if (status < 0)
		status = plan_take(&p, &targets, &list);
	if (status < 0 && c->options.kill.count > 0)
		status = kill_holders(&p, number);
	if (status < 0 && c->options.all && !c->options.yes && !c->options.dry_run && p.count > 0 &&
	    !confirmed(&p)) {
		diag_error(&c->diag, "nothing was removed");
		status = EXIT_FAILED;
	}
	if (status < 0 && out_reserve(&c->out) < 0)
		status = out_of_memory(c);
	if (status < 0) {
		carry_out(&p);
		status = c->diag.errors ? EXIT_FAILED : EXIT_DONE;
	}
	plan_free(&p);
	targets_free(&targets);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_remove = {
	.name = "remove",
	.aliases = (const char *const[]){ "rm", NULL },
	.arguments = "REF...",
	.summary = "Remove exactly these objects",
	.text = "REF is KIND:OBJECT as list prints it. What is in use goes too, because it was\n"
		"named; the answer says what that meant. With --all, kinds are named instead.\n"
		"What only its holders keep alive is ended where the kernel lets others do it; with\n"
		"--kill its holders are shown and signalled.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_REMOVE | OPTIONS_TARGETS,
	.capabilities = RIGHTS_REMOVE,
	.words = COMPLETE_REF,
	.run = run,
};
