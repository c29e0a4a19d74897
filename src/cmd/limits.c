/* SPDX-License-Identifier: MIT */
#include "cmd/limits.h"

#include <errno.h>

#include "cmd/registry.h"
#include "cmd/select.h"
#include "kind/whereabouts.h"

static const char *const unit_values[] = { "bytes", "count", NULL };

/* Value and used are sizes or counts, as their unit says; exact in every format. */
static const struct field fields[] = {
	[LIMIT_KIND] = { .name = "kind",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .help = "kind that it bounds" },
	[LIMIT_NAME] = { .name = "name",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .help = "name of the limit" },
	[LIMIT_VALUE] = { .name = "value",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT | FIELD_GAUGE,
			  .help = "the limit; absent: there is none" },
	[LIMIT_USED] = { .name = "used",
			 .type = FIELD_U64,
			 .flags = FIELD_DEFAULT | FIELD_GAUGE,
			 .help = "how much of it is used; absent where that means nothing" },
	[LIMIT_HEADROOM] = { .name = "headroom", .type = FIELD_U64, .help = "what is left" },
	[LIMIT_PERCENT] = { .name = "percent",
			    .type = FIELD_PERCENT,
			    .flags = FIELD_DEFAULT | FIELD_GAUGE,
			    .help = "used, in percent of the limit" },
	[LIMIT_FILLS] = { .name = "fills",
			  .type = FIELD_BOOL,
			  .help = "whether use adds up until the limit is reached; no: it bounds each "
				  "object" },
	[LIMIT_UNIT] = { .name = "unit",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .values = unit_values,
			 .help = "of value, used and headroom" },
	[LIMIT_SCOPE] = { .name = "scope",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT | FIELD_SHRINK,
			  .help = "what it counts" },
	[LIMIT_SOURCE] = { .name = "source", .type = FIELD_STR, .help = "where it is set" },
	[LIMIT_REACHED] = { .name = "reached",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT,
			    .help = "the call that then fails, and its error" },
	[LIMIT_NAMESPACE] = { .name = "namespace",
			      .type = FIELD_U64,
			      .help = "IPC, mount or network namespace that it is of" },
	[LIMIT_CONTAINER] = { .name = "container",
			      .type = FIELD_STR,
			      .flags = FIELD_SHRINK,
			      .help = "container that has this namespace" },
};

const struct schema limit_schema = { "limit", fields, ARRAY_SIZE(fields) };

uint64_t limit_percent(uint64_t used, uint64_t limit)
{
	if (limit == 0)
		return used ? 100 * 100 : 0;
	/* Hundredths of a percent. shmmax is near 2^64: then the limit is divided instead. */
	if (used <= UINT64_MAX / 10000)
		return used * 10000 / limit;
	return limit >= 10000 ? used / (limit / 10000) : UINT64_MAX;
}

/* In whose namespace it is. 0 or -ENOMEM. */
static int limit_place(const struct kind *k, const struct snapshot *s, struct inhabitants *inhabitants,
		       struct record *r)
{
	const struct inhabitant *in;
	const int part = kind_part(k);
	struct span text = { 0 };

	if (part < 0)
		return 0;
	record_place(r, LIMIT_NAMESPACE, &s->place->parts[part]);
	if (s->place->parts[part].ino == 0)
		return 0;
	if (s->place->pid == 0 && s->place->parts[part].empty)
		return 0;
	in = inhabitants_of(inhabitants, s->context, s->place->pid);
	if (in && in->error == 0 && in->text.len > 0)
		text = arena_span(r->arena, in->text);
	if (text.ptr)
		record_str(r, LIMIT_CONTAINER, text);
	return in ? 0 : -ENOMEM;
}

static int project(const struct kind *k, const struct limit *limit, struct snapshot *s,
		   struct inhabitants *inhabitants, struct record *r)
{
	struct limit_value v;

	kind_limit(limit, s, &v);
	/* A count over what could not be read is no count. */
	if (limit->sources & s->failed && v.used.state == VALUE_SET)
		v.used = (struct value){ .state = VALUE_UNKNOWN, .error = WHY_TOLD };
	record_text(r, LIMIT_KIND, k->name);
	record_text(r, LIMIT_NAME, limit->name);
	r->values[LIMIT_VALUE] = v.limit;
	r->values[LIMIT_USED] = v.used;
	r->unknowns |= v.limit.state == VALUE_UNKNOWN || v.used.state == VALUE_UNKNOWN;
	if (v.limit.state == VALUE_SET && v.used.state == VALUE_SET) {
		record_u64(r, LIMIT_HEADROOM, v.limit.u64 > v.used.u64 ? v.limit.u64 - v.used.u64 : 0);
		record_u64(r, LIMIT_PERCENT, limit_percent(v.used.u64, v.limit.u64));
	} else if (v.limit.state != VALUE_ABSENT && v.used.state != VALUE_ABSENT) {
		record_unknown_why(r, LIMIT_HEADROOM, WHY_TOLD);
		record_unknown_why(r, LIMIT_PERCENT, WHY_TOLD);
	}
	record_bool(r, LIMIT_FILLS, limit->fills);
	record_text(r, LIMIT_UNIT, limit->unit == FIELD_BYTES ? "bytes" : "count");
	record_text(r, LIMIT_SCOPE, limit->scope);
	record_text(r, LIMIT_SOURCE, limit->source);
	record_text(r, LIMIT_REACHED, limit->reached);
	return limit_place(k, s, inhabitants, r);
}

int limits_each(const struct kind *const *kinds, size_t nkinds, bool filling, struct snapshot *s,
		int (*visit)(void *data, const struct kind *k, const struct limit *limit,
			     const struct record *r),
		void *data)
{
	struct inhabitants inhabitants = { 0 };
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	for (size_t i = 0; i < nkinds; i++)
		for (const struct limit *l = kinds[i]->limits; l < kinds[i]->limits + kinds[i]->nlimits;
		     l++) {
			struct snapshot *at =
				l->fills || !filling ? kind_next_place(kinds[i], s, NULL) : NULL;

			for (; e == 0 && at; at = kind_next_place(kinds[i], s, at)) {
				arena_reset(&arena);
				e = record_init(&r, &limit_schema, &arena);
				if (e == 0)
					e = project(kinds[i], l, at, &inhabitants, &r);
				if (e == 0)
					e = visit(data, kinds[i], l, &r);
			}
		}
	inhabitants_free(&inhabitants);
	arena_free(&arena);
	return e;
}

static int show_one(void *data, const struct kind *k _unused_, const struct limit *limit _unused_,
		    const struct record *r)
{
	return sheet_add(data, r);
}

static int show(struct context *c, const struct kind_list *list, struct sheet *sheet)
{
	struct scan_request request = { 0 };
	struct snapshot s;
	int e;

	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < list->items[i]->nlimits; j++)
			request.sources |= list->items[i]->limits[j].sources;
	e = snapshot_take(&s, &c->scan, &request, &sheet->warnings);
	if (e == 0)
		sheet_begin(sheet, s.taken);
	if (e == 0)
		e = limits_each(list->items, list->count, false, &s, show_one, sheet);
	snapshot_free(&s);
	return e < 0 ? out_of_memory(c) : sheet_end(sheet);
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *schema = &limit_schema;
	struct kind_list list = { 0 };
	struct sheet sheet = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_limits, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "all", &list);
	if (status < 0)
		status = sheet_init(
			&sheet, c,
			&(struct sheet_plan){ .schemas = &schema, .nschemas = 1, .array = "limits" });
	if (status < 0)
		status = show(c, &list, &sheet);
	sheet_free(&sheet);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_limits = {
	.name = "limits",
	.arguments = "[KIND...]",
	.summary = "Show the kernel's limits, their use, and what fails when they are reached",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_LETTERS,
	.capabilities = RIGHTS_LOOK,
	.words = COMPLETE_KIND,
	.run = run,
};
