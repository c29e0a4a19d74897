/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/metricobjects.h"
#include "cmd/registry.h"
#include "cmd/survey.h"
#include "kind/registry.h"
#include "lib/replace.h"
#include "render/openmetrics.h"

#define USUAL_OBJECTS 100

static const struct {
	const char *name, *unit, *help;
	size_t offset;
} sums[] = {
	{ "ipcctl_objects", "", "Objects.", 0 },
	{ "ipcctl_memory_bytes", "bytes", "Memory that objects take, of kinds that take some.",
	  offsetof(struct state_sum, bytes) },
	{ "ipcctl_holders", "", "Holders in sight, added up over the objects: a process counts at each.",
	  offsetof(struct state_sum, holders) },
	{ "ipcctl_waiters", "", "Threads that wait for an object, added up over the objects.",
	  offsetof(struct state_sum, waiters) },
};

static bool has_field(const struct kind *k, const char *name)
{
	return name && schema_find(k->schema, span_of(name)) >= 0;
}

/* Whether a kind has that sum at all. */
static bool applies(const struct kind *k, size_t sum)
{
	return sum == 0 ? true :
	       sum == 1 ? has_field(k, k->bytes_field) :
	       sum == 2 ? has_field(k, "nholders") :
			  has_field(k, "waiters");
}

static void put_states(struct buf *b, const struct survey *s, size_t sum)
{
	for (size_t i = 0; i < s->l.nkinds; i++) {
		const struct kind_survey *k = &s->kinds[i];
		bool judged = has_field(k->kind, "state");
		size_t end = judged ? SURVEY_STATELESS : SURVEY_STATES;
		struct metric_label labels[] = { { "kind", span_of(k->kind->name) }, { "state", { 0 } } };

		if (k->unread || !applies(k->kind, sum))
			continue;
		for (size_t state = judged ? 0 : end - 1; state < end; state++) {
			const struct state_sum *at = &k->states[state];
			const struct summed *summed = (const void *)((const char *)at + sums[sum].offset);

			labels[1].value = span_of(survey_states[state]);
			if (sum == 0 || summed_known(summed))
				openmetrics_count(b, sums[sum].name, labels, judged ? 2 : 1,
						  sum == 0 ? at->objects : summed->sum);
		}
	}
}

/* How old the oldest orphan is, and how full the fullest object: of the kinds that have one. */
static void put_extremes(struct buf *b, const struct survey *s)
{
	openmetrics_family(b, "ipcctl_oldest_orphan_seconds", "seconds",
			   "Time since the newest time stamp of the orphaned object that has the oldest.");
	for (size_t i = 0; i < s->l.nkinds; i++)
		if (s->kinds[i].has_orphan)
			openmetrics_count(b, "ipcctl_oldest_orphan_seconds",
					  &(struct metric_label){ "kind", span_of(s->l.kinds[i]->name) }, 1,
					  s->kinds[i].oldest_orphan);
	openmetrics_family(b, "ipcctl_fullest_ratio", "ratio",
			   "How full the fullest pipe, queue or backlog of a kind is.");
	for (size_t i = 0; i < s->l.nkinds; i++)
		if (s->kinds[i].has_fill)
			openmetrics_fraction(b, "ipcctl_fullest_ratio",
					     &(struct metric_label){ "kind", span_of(s->l.kinds[i]->name) },
					     1, s->kinds[i].fullest, 10000);
}

/* Whether an earlier kind has a field of that name and unit that is summed. */
static bool was_put(const struct survey *s, size_t kind, const char *name)
{
	for (size_t i = 0; i < kind; i++)
		for (size_t f = 0; f < s->l.schemas[i]->nfields; f++) {
			char other[METRIC_NAME];

			if (!survey_sums(s->l.kinds[i], f))
				continue;
			metric_name(other, "ipcctl", &s->l.schemas[i]->fields[f]);
			if (strcmp(other, name) == 0)
				return true;
		}
	return false;
}

static void put_gauge(struct buf *b, const struct survey *s, size_t first, const char *name)
{
	for (size_t i = first; i < s->l.nkinds; i++)
		for (size_t f = 0; f < s->l.schemas[i]->nfields; f++) {
			char other[METRIC_NAME];

			if (s->kinds[i].unread || !survey_sums(s->l.kinds[i], f) ||
			    !summed_known(&s->kinds[i].fields[f]))
				continue;
			metric_name(other, "ipcctl", &s->l.schemas[i]->fields[f]);
			if (strcmp(other, name) == 0)
				openmetrics_count(
					b, name,
					&(struct metric_label){ "kind", span_of(s->l.kinds[i]->name) }, 1,
					s->kinds[i].fields[f].sum);
		}
}

/* The sums of all other gauges, a family for each name. */
static void put_gauges(struct buf *b, const struct survey *s)
{
	for (size_t i = 0; i < s->l.nkinds; i++)
		for (size_t f = 0; f < s->l.schemas[i]->nfields; f++) {
			const struct field *field = &s->l.schemas[i]->fields[f];
			char name[METRIC_NAME], help[256];

			if (!survey_sums(s->l.kinds[i], f))
				continue;
			metric_name(name, "ipcctl", field);
			if (was_put(s, i, name))
				continue;
			snprintf(help, sizeof(help), "Added up over the objects: %s.", field->help);
			openmetrics_family(b, name, field->type == FIELD_BYTES ? "bytes" : "", help);
			put_gauge(b, s, i, name);
		}
}

/* What of the sums is missing. */
static void put_unknown(struct buf *b, const struct survey *s)
{
	openmetrics_family(b, "ipcctl_unread_values", "",
			   "Objects of which a number could not be read: sums are without them.");
	for (size_t i = 0; i < s->l.nkinds; i++)
		for (size_t f = 0; f < s->l.schemas[i]->nfields; f++) {
			const struct metric_label labels[] = {
				{ "kind", span_of(s->l.kinds[i]->name) },
				{ "field", span_of(s->l.schemas[i]->fields[f].name) },
			};

			if (s->kinds[i].fields[f].unknown > 0)
				openmetrics_count(b, "ipcctl_unread_values", labels, ARRAY_SIZE(labels),
						  s->kinds[i].fields[f].unknown);
		}
}

static void put_view(struct buf *b, const struct survey *s)
{
	const struct {
		const char *name, *help;
		uint64_t value;
	} gauges[] = {
		{ "ipcctl_blocked_threads", "Threads that are blocked on an object.", s->blocked },
		{ "ipcctl_deadlocks", "Circles of waits that can never end.", s->deadlocks },
		{ "ipcctl_likely_deadlocks",
		  "Circles of waits through a System V semaphore, which tells no owner.",
		  s->likely_deadlocks },
		{ "ipcctl_dead_owner_waits", "Threads that wait for a lock whose owner has ended.",
		  s->dead_owners },
		{ "ipcctl_view_complete", "1 if everything could be read, else 0.", s->complete },
		{ "ipcctl_unreadable_processes", "Processes that could not be looked at.",
		  s->unreadable_processes },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
		openmetrics_family(b, gauges[i].name, "", gauges[i].help);
		openmetrics_count(b, gauges[i].name, NULL, 0, gauges[i].value);
	}
	openmetrics_family(b, "ipcctl_scan_seconds", "seconds", "How long it took to look at all this.");
	openmetrics_fraction(b, "ipcctl_scan_seconds", NULL, 0, s->nanoseconds / 1000, 1000000);
	openmetrics_family(b, "ipcctl_build_info", "", "1; the label says which version this is.");
	openmetrics_count(b, "ipcctl_build_info", &(struct metric_label){ "version", SPAN(IPCCTL_VERSION) },
			  1, 1);
}

static int put_all(struct context *c, struct survey *s, struct warnings *warnings, struct buf *b)
{
	int e;

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		openmetrics_family(b, sums[i].name, sums[i].unit, sums[i].help);
		put_states(b, s, i);
	}
	put_extremes(b, s);
	put_gauges(b, s);
	e = metric_limits(b, &s->l, warnings);
	if (e == 0)
		e = metric_objects(b, &s->l, &c->options.per_object,
				   c->options.max.set ? c->options.max.value : USUAL_OBJECTS);
	put_unknown(b, s);
	put_view(b, s);
	openmetrics_end(b);
	return e < 0 || b->failed ? -ENOMEM : 0;
}

/* -1 or the exit status. */
static int write_out(struct context *c, const struct buf *b)
{
	int e;

	if (!c->options.textfile) {
		buf_put_span(out_buf(&c->out), buf_span(b));
		return -1;
	}
	/* A limit of the size of files is to be an error like others. */
	signal(SIGXFSZ, SIG_IGN);
	e = replace_file(c->options.textfile, buf_span(b), 0644);
	if (e == 0)
		return -1;
	diag_error(&c->diag, "metrics: %s: %s; it is as it was", c->options.textfile,
		   e == -EEXIST ? "not a regular file" : error_text(e));
	return EXIT_FAILED;
}

/* Kinds that are to be told object by object must be among those that are looked at. */
static int check_options(struct context *c, const struct kind_list *list)
{
	const struct options *o = &c->options;

	if (o->max.set && o->max.value == 0)
		return diag_usage(&c->diag, "--max must be 1 or more");
	if (o->max.set && o->per_object.count == 0)
		return diag_usage(&c->diag, "--max goes with --per-object");
	for (size_t i = 0; i < o->per_object.count; i++) {
		const struct kind *k = kind_find(span_of(o->per_object.items[i].arg));
		bool listed = false;

		for (size_t j = 0; j < list->count; j++)
			listed |= list->items[j] == k;
		if (!listed)
			return diag_usage(&c->diag, "--per-object %s: %s", o->per_object.items[i].arg,
					  k ? "its kind is not among those named" : "no such kind");
	}
	return -1;
}

static int run(struct context *c, int argc, char **argv)
{
	struct kind_list list = { 0 };
	struct survey survey = { 0 };
	struct warnings warnings = { 0 };
	_cleanup_(buf_free) struct buf b = { 0 };
	struct opt_rest rest;
	int told, status = command_parse(c, &command_metrics, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = check_options(c, &list);
	if (status < 0)
		status = survey_take(&survey, c, &list, &warnings);
	if (status < 0 && put_all(c, &survey, &warnings, &b) < 0)
		status = out_of_memory(c);
	if (status < 0)
		status = write_out(c, &b);
	told = warnings_tell(c, &warnings, false);
	if (status < 0)
		status = told;
	survey_free(&survey);
	warnings_free(&warnings);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_metrics = {
	.name = "metrics",
	.arguments = "[KIND...]",
	.summary = "Print numbers for monitoring, as OpenMetrics text",
	.text = "Sums over all objects of each kind, the kernel's limits, and who is blocked.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_METRICS | OPTIONS_PROVE | OPTIONS_LETTERS,
	.capabilities = RIGHTS_PROVE,
	.words = COMPLETE_KIND,
	.run = run,
};
