/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/listing.h"
#include "cmd/registry.h"
#include "kind/registry.h"

/*
 * A terminal that was shown the usual kinds hears how much else there is. Whoever said
 * more exactly what he wants to see, does not; and with --strict what cannot be read of
 * kinds that are not listed must not decide the exit status.
 */
static bool tells_of_others(const struct context *c, const struct opt_rest *rest)
{
	const struct options *o = &c->options;

	return c->terminal && isatty(STDERR_FILENO) && rest->count == 0 && o->kinds.count == 0 && !o->json &&
	       !o->jsonl && !o->raw && !o->null && !o->quiet && !o->no_holders && !o->strict &&
	       o->filters.count == 0 && o->paths.count == 0 && !o->user && !o->pid.set;
}

static bool is_listed(const struct kind_list *list, const struct kind *k)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == k)
			return true;
	return false;
}

/* What it takes to count the others. */
static unsigned sources_of_others(const struct kind_list *list)
{
	unsigned sources = 0;

	for (const struct kind *const *k = kinds; *k; k++)
		if (kind_is_built(*k) && !is_listed(list, *k))
			sources |= (*k)->sources;
	return sources;
}

static void tell_of_others(const struct listing *l, const struct kind_list *list)
{
	const struct snapshot *s = &l->snapshot;
	unsigned sources = sources_of_others(list);
	bool all = !(snapshot_failed(s) & sources) && !s->holders.unreadable && !s->holders.hidden;
	uint64_t count = 0;

	for (const struct kind *const *k = kinds; *k; k++) {
		if (!kind_is_built(*k) || is_listed(list, *k))
			continue;
		for (size_t i = 0; i < kind_count(*k, s); i++)
			count += kind_owns(*k, s, i);
	}
	if (count == 0 && (all || sources == 0))
		return;
	diag_note(&l->context->diag,
		  "%s%" PRIu64 " object%s of other kinds %s not shown; 'ipcctl list all' shows them",
		  all ? "" : "at least ", count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

/* Of several places it is the first question which one an object is in. */
static void show_containers(struct options *o)
{
	if (o->ipcns.count > 0 && !o->output && !o->null)
		o->output = o->json || o->jsonl ? "+container,container_id,unit" : "+container";
}

static int run(struct context *c, int argc, char **argv)
{
	struct scan_request request = { 0 };
	struct kind_list list = { 0 };
	struct listing l = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_list, argc, argv, &rest);
	bool tells = status < 0 && tells_of_others(c, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds,
				      c->options.pid.set ? "all" : "persistent", &list);
	show_containers(&c->options);
	if (status < 0)
		status = select_paths(c, &list, &request);
	if (status < 0)
		status = listing_init(&l, c, &list, "objects", false);
	if (status < 0 && tells) {
		request.incidental = sources_of_others(&list);
		request.sources |= request.incidental;
	}
	if (status < 0)
		status = listing_take(&l, &request);
	if (status < 0)
		status = listing_show_all(&l);
	if (status < 0) {
		status = sheet_end(&l.sheet);
		if (tells && out_flush(&c->out) == 0)
			tell_of_others(&l, &list);
	}
	listing_free(&l);
	scan_request_free(&request);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_list = {
	.name = "list",
	.aliases = (const char *const[]){ "ls", NULL },
	.arguments = "[KIND...]",
	.summary = "List objects, a row each",
	.text = "KIND is a kind or a group of kinds; 'ipcctl kinds' lists them. Without any, the\n"
		"persistent ones are listed: those that outlive their processes; with --pid, all.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_OWNER | OPTIONS_PROCESSES | OPTIONS_PATHS | OPTIONS_DEPTH | OPTIONS_LETTERS,
	.capabilities = RIGHTS_PROVE,
	.words = COMPLETE_KIND,
	.run = run,
};
