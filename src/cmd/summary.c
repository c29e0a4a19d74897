/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cmd/limits.h"
#include "cmd/listing.h"
#include "cmd/registry.h"

enum {
	SUM_KIND,
	SUM_OBJECTS,
	SUM_BYTES,
	SUM_IN_USE,
	SUM_IDLE,
	SUM_ORPHANED,
	SUM_STALE,
	SUM_UNKNOWN,
	SUM_LIMIT,
	SUM_PERCENT,
};

#define STATE_FIELD(text, what)                                                                              \
	{                                                                                                    \
		.name = (text), .type = FIELD_U64, .flags = FIELD_DEFAULT | FIELD_GAUGE, .help = (what)      \
	}

static const struct field fields[] = {
	[SUM_KIND] = { .name = "kind", .type = FIELD_STR, .flags = FIELD_DEFAULT, .help = "kind of object" },
	[SUM_OBJECTS] = { .name = "count",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT | FIELD_GAUGE,
			  .help = "how many there are" },
	[SUM_BYTES] = { .name = "bytes",
			.type = FIELD_BYTES,
			.flags = FIELD_DEFAULT | FIELD_GAUGE,
			.help = "memory they take; absent for kinds that take next to none" },
	[SUM_IN_USE] = STATE_FIELD("in_use", "how many are held or waited for"),
	[SUM_IDLE] = STATE_FIELD("idle", "how many nobody holds, but somebody may come back to"),
	[SUM_ORPHANED] = STATE_FIELD("orphaned", "how many nobody holds and nobody can come back to"),
	[SUM_STALE] = STATE_FIELD("stale", "how many are likely, not provably, orphaned"),
	[SUM_UNKNOWN] = STATE_FIELD("unknown", "of how many that could not be told"),
	[SUM_LIMIT] = { .name = "limit",
			.type = FIELD_STR,
			.flags = FIELD_DEFAULT | FIELD_SHRINK,
			.help = "the limit that is nearest to being reached" },
	[SUM_PERCENT] = { .name = "full",
			  .type = FIELD_PERCENT,
			  .flags = FIELD_DEFAULT | FIELD_GAUGE,
			  .help = "how much of it is used" },
};

static const struct schema schema = { "summary", fields, ARRAY_SIZE(fields) };

static const char *const states[] = { "in-use", "idle", "orphaned", "stale", "unknown" };

/* Counts of one kind while its objects pass by. */
struct tally {
	int state, bytes; /* fields of the kind, or -1 */
	uint64_t objects, total;
	uint64_t by_state[ARRAY_SIZE(states)];
	int bytes_error; /* some object's size could not be read */
};

static int visit(void *data, size_t index _unused_, const struct record *r)
{
	struct tally *t = data;

	t->objects++;
	if (t->bytes >= 0 && r->values[t->bytes].state == VALUE_SET)
		t->total += r->values[t->bytes].u64;
	else if (t->bytes >= 0 && r->values[t->bytes].state == VALUE_UNKNOWN)
		t->bytes_error = r->values[t->bytes].error;
	for (size_t i = 0; t->state >= 0 && i < ARRAY_SIZE(states); i++)
		if (r->values[t->state].state == VALUE_SET && span_is(r->values[t->state].str, states[i]))
			t->by_state[i]++;
	return 0;
}

/* The limit of a kind of which the greatest part is used, as far as it was looked for. */
struct nearest {
	struct record *r;
	struct warnings *warnings;
	uint64_t most;
	bool unknown;
};

static int consider(void *data, const struct kind *k _unused_, const struct limit *l,
		    const struct record *limit)
{
	struct nearest *n = data;

	n->unknown |= limit->values[LIMIT_PERCENT].state == VALUE_UNKNOWN;
	warnings_tally(n->warnings, limit, schema_set(&limit_schema, 0));
	if (limit->values[LIMIT_PERCENT].state != VALUE_SET ||
	    (n->r->values[SUM_LIMIT].state == VALUE_SET && limit->values[LIMIT_PERCENT].u64 <= n->most))
		return 0;
	n->most = limit->values[LIMIT_PERCENT].u64;
	record_text(n->r, SUM_LIMIT, l->name);
	record_u64(n->r, SUM_PERCENT, n->most);
	return 0;
}

/* 0 or -ENOMEM. */
static int nearest_limit(const struct kind *k, struct snapshot *s, struct warnings *warnings,
			 struct record *r)
{
	struct nearest n = { .r = r, .warnings = warnings };
	/* How large one object is says nothing about what is left for others. */
	int e = limits_each(&k, 1, true, s, consider, &n);

	/* One that cannot be read may be nearer. */
	if (n.unknown) {
		record_unknown_why(r, SUM_LIMIT, WHY_TOLD);
		record_unknown_why(r, SUM_PERCENT, WHY_TOLD);
	}
	return e;
}

static int project(struct listing *l, size_t i, struct warnings *warnings, struct record *r)
{
	const struct kind *k = l->kinds[i];
	struct tally t = {
		.state = schema_find(k->schema, SPAN("state")),
		.bytes = k->bytes_field ? schema_find(k->schema, span_of(k->bytes_field)) : -1,
	};
	struct fieldset want = { 0 };
	int e;

	if (t.state >= 0)
		want.bits |= (uint64_t)1 << t.state;
	if (t.bytes >= 0)
		want.bits |= (uint64_t)1 << t.bytes;
	e = listing_each(l, i, want, visit, &t);
	if (e < 0)
		return e;
	record_text(r, SUM_KIND, k->name);
	if (l->snapshot.failed & k->sources && t.objects == 0) {
		for (size_t f = SUM_OBJECTS; f <= SUM_UNKNOWN; f++)
			if (f == SUM_BYTES ? t.bytes >= 0 : f == SUM_OBJECTS || t.state >= 0)
				record_unknown_why(r, f, WHY_TOLD);
		return nearest_limit(k, &l->snapshot, warnings, r);
	}
	record_u64(r, SUM_OBJECTS, t.objects);
	if (t.bytes_error)
		record_unknown(r, SUM_BYTES, t.bytes_error);
	else if (t.bytes >= 0)
		record_u64(r, SUM_BYTES, t.total);
	for (size_t s = 0; t.state >= 0 && s < ARRAY_SIZE(states); s++)
		record_u64(r, SUM_IN_USE + s, t.by_state[s]);
	return nearest_limit(k, &l->snapshot, warnings, r);
}

static void say_what_next(struct context *c)
{
	const struct options *o = &c->options;

	if (o->json || o->jsonl || o->raw || o->null || o->quiet || !c->terminal)
		return;
	buf_puts(out_buf(&c->out), "\n"
				   "ipcctl list [KIND]     every object, a row each\n"
				   "ipcctl describe REF    all that is known of one\n"
				   "ipcctl limits          what fills up, and what fails then\n"
				   "ipcctl help            everything else\n");
}

static int show(struct listing *l, struct sheet *sheet)
{
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	sheet->document.unreadable_processes = snapshot_unreadable(&l->snapshot);
	sheet_begin(sheet, l->snapshot.taken);
	for (size_t i = 0; e == 0 && i < l->nkinds; i++) {
		e = record_init(&r, &schema, &arena);
		if (e == 0)
			e = project(l, i, &sheet->warnings, &r);
		if (e == 0)
			e = sheet_add(sheet, &r);
	}
	arena_free(&arena);
	return e < 0 ? out_of_memory(l->context) : -1;
}

/* What it takes to judge the objects of a kind. */
static unsigned state_sources(const struct kind *k)
{
	int state = schema_find(k->schema, SPAN("state"));

	return state < 0 ? 0 : schema_sources(k->schema, (struct fieldset){ (uint64_t)1 << state });
}

/* The listing is only counted: its own snapshot, but another sheet to show. */
static int take(struct listing *l, struct sheet *sheet, const struct kind_list *list)
{
	struct scan_request request = { .depth = select_depth(&l->context->options),
					.threads = listing_threads(l->context) };
	int e;

	for (size_t i = 0; i < list->count; i++) {
		request.sources |= list->items[i]->sources;
		if (!l->context->options.no_holders)
			request.sources |= SOURCE_HOLDERS | state_sources(list->items[i]);
		for (size_t j = 0; j < list->items[i]->nlimits; j++)
			request.sources |= list->items[i]->limits[j].sources;
	}
	l->taken = true;
	e = snapshot_take(&l->snapshot, &l->context->scan, &request, &sheet->warnings);
	scan_request_free(&request);
	return e < 0 ? out_of_memory(l->context) : -1;
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *only = &schema;
	struct kind_list list = { 0 };
	struct listing l = { .context = c };
	struct sheet sheet = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_summary, argc, argv, &rest);

	if (status < 0)
		status = refuse_words(c, &command_summary, &rest);
	if (status < 0)
		status = select_kinds(c, NULL, 0, NULL, "all", &list);
	if (status < 0)
		status = sheet_init(
			&sheet, c, &(struct sheet_plan){ .schemas = &only, .nschemas = 1, .array = "kinds" });
	if (status < 0)
		status = listing_init_kinds(&l, c, &list);
	if (status < 0)
		status = take(&l, &sheet, &list);
	if (status < 0)
		status = show(&l, &sheet);
	if (status < 0) {
		status = sheet_end(&sheet);
		say_what_next(c);
	}
	listing_free(&l);
	sheet_free(&sheet);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_summary = {
	.name = "summary",
	.arguments = "",
	.summary = "Show how many objects of each kind there are, and how near the limits",
	.options = OPTIONS_GLOBAL | OPTIONS_PLACES | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT |
		   OPTIONS_PROCESSES,
	.capabilities = RIGHTS_LOOK,
	.run = run,
};
