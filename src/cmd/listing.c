/* SPDX-License-Identifier: MIT */
#include "cmd/listing.h"

#include <errno.h>

#include "lib/parallel.h"

#define BATCH 512 /* records rendered at a time by one thread */
#define WAVE 16	  /* batches that may wait for their turn to be written */

int listing_init_kinds(struct listing *l, struct context *c, const struct kind_list *list)
{
	*l = (struct listing){ .context = c, .kinds = list->items, .nkinds = list->count };
	l->schemas = calloc(list->count + 1, sizeof(*l->schemas));
	if (!l->schemas)
		return out_of_memory(c);
	for (size_t i = 0; i < list->count; i++)
		l->schemas[i] = list->items[i]->schema;
	return -1;
}

int listing_init(struct listing *l, struct context *c, const struct kind_list *list, const char *array, bool detail)
{
	int status = listing_init_kinds(l, c, list);

	if (status >= 0)
		return status;
	return sheet_init(&l->sheet, c,
			  &(struct sheet_plan){ .schemas = l->schemas,
						.nschemas = l->nkinds,
						.array = array,
						.detail = detail,
						.extra_fields = c->options.content.set ? "+content" : NULL });
}

void listing_free(struct listing *l)
{
	sheet_free(&l->sheet);
	if (l->taken)
		snapshot_free(&l->snapshot);
	free(l->schemas);
}

size_t listing_kind(const struct listing *l, const struct kind *k)
{
	size_t i = 0;

	while (i + 1 < l->nkinds && l->kinds[i] != k)
		i++;
	return i;
}

int listing_take(struct listing *l, struct scan_request *request)
{
	for (size_t i = 0; i < l->nkinds; i++)
		request->sources |= l->kinds[i]->sources | schema_sources(l->schemas[i], sheet_fields(&l->sheet, i));
	request->depth = select_depth(&l->context->options);
	l->taken = true;
	if (snapshot_take(&l->snapshot, &l->context->scan, request, &l->sheet.warnings) < 0)
		return out_of_memory(l->context);
	sheet_begin(&l->sheet, l->snapshot.taken);
	return -1;
}

int listing_show(struct listing *l, size_t kind, size_t index)
{
	struct projector p = { .snapshot = &l->snapshot, .want = sheet_fields(&l->sheet, kind) };
	struct arena arena = { 0 };
	struct record r;
	int e = record_init(&r, l->schemas[kind], &arena);

	if (e == 0)
		e = l->kinds[kind]->project(&p, index, &r);
	if (e == 0)
		e = sheet_add(&l->sheet, &r);
	projector_free(&p);
	arena_free(&arena);
	return e == 0 ? 1 : e == PROJECT_SKIP ? 0 : e;
}

int listing_each(struct listing *l, size_t kind, struct fieldset want,
		 int (*visit)(void *data, size_t index, const struct record *r), void *data)
{
	const struct kind *k = l->kinds[kind];
	struct projector p = { .snapshot = &l->snapshot, .want = want };
	struct arena first = { 0 }, arena = { 0 };
	struct record r;
	size_t n = k->count(&l->snapshot);
	int e = record_init(&r, l->schemas[kind], &first);

	r.arena = &arena;
	for (size_t i = 0; e == 0 && i < n; i++) {
		if (k->owns && !k->owns(&l->snapshot, i))
			continue;
		record_clear(&r);
		arena_reset(&arena);
		e = k->project(&p, i, &r);
		if (e == 0)
			e = visit(data, i, &r);
		else if (e == PROJECT_SKIP)
			e = 0;
	}
	projector_free(&p);
	arena_free(&first);
	arena_free(&arena);
	return e;
}

static int show_serial(void *data, size_t index _unused_, const struct record *r)
{
	return sheet_add(data, r);
}

/* What one slot of a wave keeps from batch to batch: caches and buffers. */
struct slot {
	struct projector projector;
	struct sheet_worker worker;
	struct arena values, arena;
	int error;
};

struct wave {
	struct listing *listing;
	size_t kind, start, end; /* indices of this kind */
	struct slot slots[WAVE];
};

static void run_batch(void *context, size_t number)
{
	struct wave *w = context;
	struct listing *l = w->listing;
	const struct kind *k = l->kinds[w->kind];
	struct slot *slot = &w->slots[number];
	size_t start = w->start + number * BATCH;
	size_t end = w->end - start < BATCH ? w->end : start + BATCH;
	struct record r;

	arena_reset(&slot->values);
	slot->projector.snapshot = &l->snapshot;
	slot->projector.want = sheet_fields(&l->sheet, w->kind);
	slot->error = record_init(&r, l->schemas[w->kind], &slot->values);
	r.arena = &slot->arena;
	for (size_t i = start; slot->error == 0 && i < end; i++) {
		if (k->owns && !k->owns(&l->snapshot, i))
			continue;
		record_clear(&r);
		arena_reset(&slot->arena);
		slot->error = k->project(&slot->projector, i, &r);
		if (slot->error == 0)
			slot->error = sheet_render(&l->sheet, &slot->worker, &r);
		else if (slot->error == PROJECT_SKIP)
			slot->error = 0;
	}
}

/* Shows the objects of one kind, batches in parallel, written in order. */
static int show_parallel(struct wave *w, size_t kind)
{
	struct listing *l = w->listing;
	size_t n = l->kinds[kind]->count(&l->snapshot);
	int e = 0;

	w->kind = kind;
	w->end = n;
	for (w->start = 0; e == 0 && w->start < n; w->start += (size_t)BATCH * WAVE) {
		size_t batches = (n - w->start + BATCH - 1) / BATCH;

		if (batches > WAVE)
			batches = WAVE;
		parallel_run(&(struct parallel_work){ run_batch, w, batches }, processor_count());
		for (size_t i = 0; i < batches; i++) {
			if (w->slots[i].error < 0)
				e = w->slots[i].error;
			sheet_take(&l->sheet, &w->slots[i].worker);
		}
	}
	return e;
}

static int show_all_parallel(struct listing *l)
{
	struct wave *w = calloc(1, sizeof(*w));
	int e = 0;

	if (!w)
		return -ENOMEM;
	w->listing = l;
	for (size_t i = 0; e == 0 && i < l->nkinds; i++)
		e = show_parallel(w, i);
	for (size_t i = 0; i < WAVE; i++) {
		warnings_merge(&l->sheet.warnings, &w->slots[i].worker.warnings);
		projector_free(&w->slots[i].projector);
		sheet_worker_free(&w->slots[i].worker);
		arena_free(&w->slots[i].values);
		arena_free(&w->slots[i].arena);
	}
	free(w);
	return e;
}

int listing_show_all(struct listing *l)
{
	int e = 0;

	if (sheet_is_parallel(&l->sheet))
		e = show_all_parallel(l);
	else
		for (size_t i = 0; e == 0 && i < l->nkinds; i++)
			e = listing_each(l, i, sheet_fields(&l->sheet, i), show_serial, &l->sheet);
	return e < 0 ? out_of_memory(l->context) : -1;
}
