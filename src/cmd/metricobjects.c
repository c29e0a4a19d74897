/* SPDX-License-Identifier: MIT */
#include "cmd/metricobjects.h"

#include <errno.h>
#include <stdio.h>

#include "cmd/limits.h"
#include "kind/registry.h"
#include "lib/vec.h"
#include "render/openmetrics.h"

void metric_name(char name[static METRIC_NAME], const char *prefix, const struct field *field)
{
	const char *unit = field->type == FIELD_BYTES ? "_bytes" : "";
	size_t len = strlen(field->name), end = strlen(unit);

	/* Some bear their unit already. */
	if (end > 0 &&
	    (strcmp(field->name, unit + 1) == 0 || (len > end && strcmp(field->name + len - end, unit) == 0)))
		unit = "";
	snprintf(name, METRIC_NAME, "%s_%s%s", prefix, field->name, unit);
}

/* What is told of a limit: one of its fields. */
struct limit_family {
	const char *name, *unit, *help;
	size_t field;
	bool bytes; /* of limits of bytes, else of the others */
	bool ratio;
};

static const struct limit_family limit_families[] = {
	{ "ipcctl_limit", "", "The limit.", LIMIT_VALUE, false, false },
	{ "ipcctl_limit_bytes", "bytes", "The limit, of those that bound bytes.", LIMIT_VALUE, true, false },
	{ "ipcctl_limit_used", "", "How much of the limit is used.", LIMIT_USED, false, false },
	{ "ipcctl_limit_used_bytes", "bytes", "How much of the limit is used, of those that bound bytes.",
	  LIMIT_USED, true, false },
	{ "ipcctl_limit_used_ratio", "ratio", "How much of the limit is used, as a part of it.",
	  LIMIT_PERCENT, false, true },
};

/* One limit, in one namespace. */
struct told_limit {
	const struct kind *kind;
	const struct limit *limit;
	struct value fields[LIMIT_PERCENT + 1];
	uint64_t namespace; /* 0: it is of none */
	struct span container;
};

struct told_limits {
	struct told_limit *items;
	size_t count;
	bool several; /* namespaces are looked at beside this process's own */
	struct warnings *warnings;
	struct arena arena;
};

static int note_limit(void *data, const struct kind *k, const struct limit *limit, const struct record *r)
{
	struct told_limits *all = data;
	struct told_limit told = { .kind = k, .limit = limit };

	for (size_t f = 0; f <= LIMIT_PERCENT; f++)
		told.fields[f] = r->values[f];
	if (r->values[LIMIT_NAMESPACE].state == VALUE_SET)
		told.namespace = r->values[LIMIT_NAMESPACE].u64;
	if (r->values[LIMIT_CONTAINER].state == VALUE_SET)
		told.container = arena_span(&all->arena, r->values[LIMIT_CONTAINER].str);
	if (all->arena.failed || vec_reserve(&all->items, all->count, sizeof(*all->items)) < 0)
		return -ENOMEM;
	warnings_tally(all->warnings, r, schema_set(r->schema, 0));
	all->items[all->count++] = told;
	return 0;
}

static void put_limit(struct buf *b, const struct limit_family *family, const struct told_limit *told,
		      bool several)
{
	const struct value *v = &told->fields[family->field];
	char number[24];
	struct metric_label labels[4] = {
		{ "kind", span_of(told->kind->name) },
		{ "limit", span_of(told->limit->name) },
	};
	size_t n = 2;

	if (v->state != VALUE_SET || (!family->ratio && family->bytes != (told->limit->unit == FIELD_BYTES)))
		return;
	/* The namespace of this process needs no number as long as it is the only one. */
	if (several && told->namespace) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)told->namespace);
		labels[n++] = (struct metric_label){ "namespace", span_of(number) };
		if (told->container.len > 0)
			labels[n++] = (struct metric_label){ "container", told->container };
	}
	if (family->ratio)
		openmetrics_fraction(b, family->name, labels, n, v->u64, 10000);
	else
		openmetrics_count(b, family->name, labels, n, v->u64);
}

int metric_limits(struct buf *b, struct listing *l, struct warnings *warnings)
{
	struct told_limits all = { .several = l->snapshot.nviews > 0, .warnings = warnings };
	int e = limits_each(l->kinds, l->nkinds, false, &l->snapshot, note_limit, &all);

	for (size_t f = 0; e == 0 && f < ARRAY_SIZE(limit_families); f++) {
		const struct limit_family *family = &limit_families[f];

		openmetrics_family(b, family->name, family->unit, family->help);
		for (size_t i = 0; i < all.count; i++)
			put_limit(b, family, &all.items[i], all.several);
	}
	free(all.items);
	arena_free(&all.arena);
	return e;
}

/* An object that is told alone. */
struct row {
	const struct schema *schema;
	struct span kind, ref, owner, state;
	struct value *values; /* numbers only */
};

struct rows {
	struct row *items;
	size_t count, first; /* of the kind under way */
	uint64_t most, left_out;
	struct arena arena;
};

static bool is_gauge(const struct kind *k, size_t field)
{
	const struct field *f = &k->schema->fields[field];

	return (f->flags & FIELD_GAUGE && !(f->flags & FIELD_ON_DEMAND)) || strcmp(f->name, "waiters") == 0 ||
	       (k->bytes_field && strcmp(f->name, k->bytes_field) == 0);
}

static struct span text_of(struct rows *rows, const struct record *r, const char *name)
{
	int field = schema_find(r->schema, span_of(name));

	if (field < 0 || r->values[field].state != VALUE_SET)
		return SPAN("");
	return arena_span(&rows->arena, r->values[field].str);
}

static int note_row(void *data, size_t index _unused_, const struct record *r)
{
	struct rows *rows = data;
	struct row *row;

	if (rows->count - rows->first >= rows->most) {
		rows->left_out++;
		return 0;
	}
	if (vec_reserve(&rows->items, rows->count, sizeof(*rows->items)) < 0)
		return -ENOMEM;
	row = &rows->items[rows->count];
	*row = (struct row){
		.schema = r->schema,
		.kind = text_of(rows, r, "kind"),
		.ref = text_of(rows, r, "ref"),
		.owner = text_of(rows, r, "owner"),
		.state = text_of(rows, r, "state"),
		.values = arena_alloc(&rows->arena, r->schema->nfields * sizeof(*row->values)),
	};
	if (!row->kind.ptr || !row->ref.ptr || !row->owner.ptr || !row->state.ptr || !row->values)
		return -ENOMEM;
	memcpy(row->values, r->values, r->schema->nfields * sizeof(*row->values));
	rows->count++;
	return 0;
}

static int gather(struct rows *rows, struct listing *l, const struct kind *k)
{
	static const char *const labels[] = { "kind", "ref", "owner", "state" };
	struct fieldset want = { 0 };

	for (size_t f = 0; f < k->schema->nfields; f++)
		if (is_gauge(k, f))
			want.bits |= (uint64_t)1 << f;
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (schema_find(k->schema, span_of(labels[i])) >= 0)
			want.bits |= (uint64_t)1 << schema_find(k->schema, span_of(labels[i]));
	rows->first = rows->count;
	rows->left_out = 0;
	return listing_each(l, listing_kind(l, k), want, note_row, rows);
}

/* Whether one of these kinds has made the family already. */
static bool was_put(const struct kind *const *shown, size_t nshown, const char *name)
{
	for (size_t i = 0; i < nshown; i++)
		for (size_t f = 0; f < shown[i]->schema->nfields; f++) {
			char other[METRIC_NAME];

			metric_name(other, "ipcctl_object", &shown[i]->schema->fields[f]);
			if (is_gauge(shown[i], f) && strcmp(other, name) == 0)
				return true;
		}
	return false;
}

static void put_rows(struct buf *b, const struct rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *row = &rows->items[i];
		const struct kind *k = kind_find(row->kind);

		for (size_t f = 0; k && f < row->schema->nfields; f++) {
			const struct metric_label labels[] = { { "kind", row->kind },
							       { "ref", row->ref },
							       { "owner", row->owner },
							       { "state", row->state } };
			char other[METRIC_NAME];

			if (!is_gauge(k, f) || row->values[f].state != VALUE_SET)
				continue;
			metric_name(other, "ipcctl_object", &row->schema->fields[f]);
			if (strcmp(other, name) == 0)
				openmetrics_count(b, name, labels, ARRAY_SIZE(labels), row->values[f].u64);
		}
	}
}

/* A family for each number that objects of these kinds have. */
static void put_families(struct buf *b, const struct rows *rows, const struct kind *const *shown,
			 size_t nshown)
{
	for (size_t i = 0; i < nshown; i++)
		for (size_t f = 0; f < shown[i]->schema->nfields; f++) {
			const struct field *field = &shown[i]->schema->fields[f];
			char name[METRIC_NAME], help[256];

			metric_name(name, "ipcctl_object", field);
			if (!is_gauge(shown[i], f) || was_put(shown, i, name))
				continue;
			snprintf(help, sizeof(help), "Of single objects: %s.", field->help);
			openmetrics_family(b, name, field->type == FIELD_BYTES ? "bytes" : "", help);
			put_rows(b, rows, name);
		}
}

int metric_objects(struct buf *b, struct listing *l, const struct opt_words *words, uint64_t most)
{
	_cleanup_(free_ptr) const struct kind **shown = calloc(words->count + 1, sizeof(*shown));
	_cleanup_(free_ptr) uint64_t *left_out = calloc(words->count + 1, sizeof(*left_out));
	struct rows rows = { .most = most };
	size_t n = 0;
	int e = shown && left_out ? 0 : -ENOMEM;

	for (size_t i = 0; e == 0 && i < words->count; i++) {
		const struct kind *k = kind_find(span_of(words->items[i].arg));
		bool again = false;

		for (size_t j = 0; j < n; j++)
			again |= shown[j] == k;
		if (again)
			continue;
		shown[n] = k;
		e = gather(&rows, l, k);
		left_out[n++] = rows.left_out;
	}
	if (e == 0 && n > 0) {
		put_families(b, &rows, shown, n);
		openmetrics_family(b, "ipcctl_objects_left_out", "",
				   "Objects that --per-object would have told, but for --max.");
		for (size_t i = 0; i < n; i++)
			openmetrics_count(b, "ipcctl_objects_left_out",
					  &(struct metric_label){ "kind", span_of(shown[i]->name) }, 1,
					  left_out[i]);
	}
	free(rows.items);
	arena_free(&rows.arena);
	return e;
}
