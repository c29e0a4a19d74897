/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "cmd/listing.h"
#include "cmd/registry.h"
#include "cmd/targets.h"
#include "kind/registry.h"
#include "lib/escape.h"
#include "lib/vec.h"

/* One object that is to go. */
struct removal {
	const struct kind *kind;
	size_t index;
	struct span ref; /* as list prints it */
	bool doubtful;	 /* it may be of another kind: only its own name removes it */
};

struct plan {
	struct context *context;
	struct snapshot snapshot;
	struct warnings warnings;
	struct removal *items;
	size_t count;
	struct arena arena;
	struct hash planned; /* index of an object in its snapshot -> item */
};

/* Whether the object is in the plan already: it may have been named twice. */
static bool is_planned(const struct plan *p, const struct kind *k, size_t index)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&p->planned, index, slot)) != NULL)
		if (p->items[slot->value].kind == k)
			return true;
	return false;
}

static int plan_add(struct plan *p, const struct kind *k, size_t index)
{
	struct projector projector = { .snapshot = &p->snapshot };
	struct record r;
	int ref = schema_find(k->schema, SPAN("ref"));
	int e;

	if (is_planned(p, k, index))
		return 0;
	if (vec_reserve(&p->items, p->count, sizeof(*p->items)) < 0)
		return -ENOMEM;
	projector.want.bits = (uint64_t)1 << ref;
	e = record_init(&r, k->schema, &p->arena);
	if (e == 0)
		e = k->project(&projector, index, &r);
	if (e == 0)
		e = hash_add(&p->planned, index, (uint32_t)p->count);
	if (e == 0)
		p->items[p->count++] =
			(struct removal){ .kind = k, .index = index, .ref = r.values[ref].str };
	projector_free(&projector);
	return e == PROJECT_SKIP ? 0 : e;
}

/* Frees what a plan gathered; not its snapshot. */
static void plan_free(struct plan *p)
{
	hash_free(&p->planned);
	warnings_free(&p->warnings);
	arena_free(&p->arena);
	free(p->items);
}

/* A reference that means several objects: all are listed, none is touched. */
static void refuse_several(struct plan *p, const struct target *t, const struct matches *m)
{
	_cleanup_(buf_free) struct buf names = { 0 };
	struct plan several = { .context = p->context, .snapshot = p->snapshot };

	for (size_t i = 0; i < m->count; i++)
		if (plan_add(&several, t->kind, m->items[i]) < 0)
			break;
	for (size_t i = 0; i < several.count; i++) {
		buf_putc(&names, ' ');
		buf_put_span(&names, several.items[i].ref);
	}
	diag_error(&p->context->diag, "remove %s: means %zu objects, none is touched; name one:%s", t->text,
		   m->count, buf_cstr(&names) ? names.data : "");
	plan_free(&several);
}

static int plan_target(struct plan *p, const struct target *t)
{
	struct context *c = p->context;
	struct matches m = { 0 };
	int status = -1;
	int n = target_resolve(c, "remove", t, &p->snapshot, &m, &status);

	if (n == 0 && !(c->options.missing_ok && !(p->snapshot.failed & t->kind->sources)))
		target_not_found(c, "remove", t, &p->snapshot);
	else if (n == 1 && plan_add(p, t->kind, m.items[0]) < 0)
		status = out_of_memory(c);
	else if (n > 1)
		refuse_several(p, t, &m);
	matches_free(&m);
	return status;
}

/* Every object of the kinds that --all was given. */
static int plan_all(struct plan *p, const struct kind_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct kind *k = list->items[i];
		size_t n = k->count(&p->snapshot);

		for (size_t j = 0; j < n; j++) {
			size_t before = p->count;

			if (k->owns && !k->owns(&p->snapshot, j))
				continue;
			if (plan_add(p, k, j) < 0)
				return out_of_memory(p->context);
			if (p->count > before)
				p->items[before].doubtful = k->is_certain && !k->is_certain(&p->snapshot, j);
		}
	}
	return -1;
}

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

static void say_failure(struct plan *p, const struct removal *r, int error, struct span text)
{
	struct diag *d = &p->context->diag;
	int n = (int)r->ref.len;

	if (error == -ENOTSUP && p->context->options.all)
		diag_note(d, "%.*s is spared: %.*s", n, r->ref.ptr, (int)text.len, text.ptr);
	else if (error == -ENOTSUP)
		diag_error(d, "remove %.*s: %.*s", n, r->ref.ptr, (int)text.len, text.ptr);
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

		if (r->doubtful) {
			diag_note(&p->context->diag,
				  "%.*s is spared: it may be of another kind; its own name removes it",
				  (int)r->ref.len, r->ref.ptr);
			continue;
		}
		if (o->dry_run) {
			say(p, "would remove ", r, report.text);
			continue;
		}
		e = r->kind->remove(&p->snapshot, r->index, &report);
		if (e == 0 && !o->quiet)
			say(p, "removed ", r, report.text);
		/* With --all, or if asked so, what is gone already is as wanted. */
		else if (e < 0 && !(e == -ENOENT && (o->all || o->missing_ok)))
			say_failure(p, r, e, report.text);
		report_free(&report);
	}
}

/* Asks on the terminal. True if the answer is yes. */
static bool confirmed(struct plan *p)
{
	char answer[16];

	fprintf(stderr, "Remove %zu object%s? [y/N] ", p->count, p->count == 1 ? "" : "s");
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static int check_options(struct context *c, const struct opt_rest *rest)
{
	const struct options *o = &c->options;

	if (o->all && o->targets.count > 0)
		return diag_usage(&c->diag, "--all takes kinds, not single objects");
	if (rest->count == 0 && o->targets.count == 0)
		return diag_usage(&c->diag, o->all ? "--all needs the kinds that are to go" :
						     "remove needs a reference, such as 'ipcctl list' shows");
	if (o->all && !o->yes && !o->dry_run && !isatty(STDIN_FILENO))
		return diag_usage(&c->diag, "--all needs --yes where nobody can be asked");
	return -1;
}

static int take_plan(struct plan *p, const struct targets *targets, const struct kind_list *list)
{
	struct context *c = p->context;
	struct scan_request request = { 0 };
	int status = -1;

	for (size_t i = 0; i < list->count; i++)
		request.sources |= list->items[i]->sources;
	if (targets_request(targets, &request) < 0 ||
	    snapshot_take(&p->snapshot, &c->scan, &request, &p->warnings) < 0)
		status = out_of_memory(c);
	scan_request_free(&request);
	for (size_t i = 0; status < 0 && i < targets->count; i++)
		status = plan_target(p, &targets->items[i]);
	if (status < 0 && list->count > 0)
		status = plan_all(p, list);
	for (size_t i = 0; i < p->warnings.count; i++) {
		_cleanup_(buf_free) struct buf text = { 0 };

		warning_text(&p->warnings.items[i], &text);
		if (buf_cstr(&text))
			diag_note_escaped(&c->diag, text.data);
	}
	if (list->count > 0 && p->warnings.incomplete)
		diag_error(&c->diag, "remove --all: not everything could be seen");
	return status;
}

static int run(struct context *c, int argc, char **argv)
{
	struct plan p = { .context = c, .snapshot = { .shm.root = -1, .queues.root = -1 } };
	struct targets targets = { 0 };
	struct kind_list list = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_remove, argc, argv, &rest);

	if (status < 0)
		status = check_options(c, &rest);
	if (status < 0 && c->options.all)
		status = select_kinds(c, rest.words, rest.count, NULL, "persistent", &list);
	else if (status < 0)
		status = select_targets(c, rest.words, rest.count, &c->options.targets, &targets);
	if (status < 0)
		status = take_plan(&p, &targets, &list);
	if (status < 0 && c->options.all && !c->options.yes && !c->options.dry_run && p.count > 0 &&
	    !confirmed(&p)) {
		diag_error(&c->diag, "nothing was removed");
		status = EXIT_FAILED;
	}
	if (status < 0) {
		carry_out(&p);
		status = c->diag.errors ? EXIT_FAILED : EXIT_DONE;
	}
	snapshot_free(&p.snapshot);
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
		"named; the answer says what that meant. With --all, kinds are named instead.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_REMOVE | OPTIONS_TARGETS,
	.words = COMPLETE_REF,
	.run = run,
};
