/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cmd/listing.h"
#include "cmd/registry.h"
#include "cmd/targets.h"

/* The kinds that the targets are of, each once. */
static int kinds_of(const struct targets *targets, struct kind_list *list)
{
	list->items = calloc(targets->count + 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	for (size_t i = 0; i < targets->count; i++) {
		size_t k = 0;

		while (k < list->count && list->items[k] != targets->items[i].kind)
			k++;
		if (k == list->count)
			list->items[list->count++] = targets->items[i].kind;
	}
	return 0;
}

/* Shows what a target meant. */
static int show_target(struct listing *l, const struct target *t, const struct matches *m)
{
	int shown = 0;

	for (size_t i = 0; i < m->count; i++) {
		int r = listing_show(l, listing_kind(l, t->kind), m->items[i]);

		if (r < 0)
			return out_of_memory(l->context);
		shown += r;
	}
	if (shown == 0)
		target_not_found(l->context, "describe", t, &l->snapshot, m);
	return -1;
}

/* All references are looked up before the first object is shown: a wrong one is
 * found before anything is written. */
static int show_targets(struct listing *l, const struct targets *targets)
{
	struct context *c = l->context;
	struct matches *found = calloc(targets->count, sizeof(*found));
	int status = -1, end;

	if (!found)
		return out_of_memory(c);
	for (size_t i = 0; status < 0 && i < targets->count; i++) {
		target_resolve(c, "describe", &targets->items[i], &l->snapshot, &found[i], &status);
		l->sheet.warnings.incomplete |= found[i].error != 0;
	}
	l->sheet.mute = true;
	for (size_t i = 0; status < 0 && i < targets->count; i++)
		l->sheet.mute &= found[i].count == 0;
	if (status < 0)
		listing_begin(l);
	for (size_t i = 0; status < 0 && i < targets->count; i++)
		status = show_target(l, &targets->items[i], &found[i]);
	if (status < 0) {
		end = sheet_end(&l->sheet);
		status = c->diag.errors ? EXIT_FAILED : end;
	}
	for (size_t i = 0; i < targets->count; i++)
		matches_free(&found[i]);
	free(found);
	return status;
}

/* --queue: says beforehand what it does, and that nothing has such a queue. -1 or the exit status. */
static int announce_stop(struct listing *l)
{
	struct context *c = l->context;
	bool any = false;

	if (!c->options.queue)
		return -1;
	for (size_t i = 0; i < l->nkinds; i++)
		for (size_t f = 0; f < l->schemas[i]->nfields; f++)
			any |= l->schemas[i]->fields[f].flags & FIELD_STOPS;
	if (!any)
		return diag_usage(&c->diag, "--queue: nothing of what is named has a queue of signals");
	diag_note(&c->diag, "--queue stops a process that has pending signals for a moment; "
			    "epoll_wait(2) and semop(2) in it may return EINTR");
	return -1;
}

static int run(struct context *c, int argc, char **argv)
{
	struct scan_request request = { 0 };
	struct targets targets = { 0 };
	struct kind_list list = { 0 };
	struct listing l = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_describe, argc, argv, &rest);

	if (status < 0 && rest.count == 0)
		status = diag_usage(&c->diag, "describe needs a reference, such as 'ipcctl list' shows");
	if (status < 0 && c->options.attach && !c->options.content.set)
		status = diag_usage(&c->diag, "--attach goes with --content");
	if (status < 0)
		status = select_targets(c, rest.words, rest.count, NULL, &targets);
	if (status < 0 && (kinds_of(&targets, &list) < 0 || targets_request(&targets, &request) < 0))
		status = out_of_memory(c);
	if (status < 0)
		status = listing_init(&l, c, &list, "objects", true);
	if (status < 0)
		status = announce_stop(&l);
	if (status < 0)
		status = listing_take(&l, &request);
	if (status < 0)
		status = show_targets(&l, &targets);
	listing_free(&l);
	scan_request_free(&request);
	kind_list_free(&list);
	targets_free(&targets);
	opt_rest_free(&rest);
	return status;
}

const struct command command_describe = {
	.name = "describe",
	.aliases = (const char *const[]){ "show", NULL },
	.arguments = "REF...",
	.summary = "Show all that is known of objects",
	.text = "REF is KIND:OBJECT as list prints it.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_PROCESSES | OPTIONS_DEPTH | OPTIONS_DESCRIBE,
	.capabilities = RIGHTS_PROVE,
	.words = COMPLETE_REF,
	.run = run,
};
