/* SPDX-License-Identifier: MIT */
/* Carrying the plan out: each object is judged once more and goes, many at a time, told in order. */
#include "cmd/cleaning.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/parallel.h"

/* What was learned of processes counts no longer than that, while objects are removed. */
#define FRESH_SECONDS UINT64_C(1)
/* So many go before their outcome is told. */
#define TOGETHER 512

/* What became of an object. */
struct outcome {
	int error;
	struct report report;
};

/* What one thread keeps from object to object. */
struct worker {
	struct projector projector;
	APART;
};

struct removals {
	struct cleaning *clean;
	size_t planned[TOGETHER]; /* which candidates go together */
	struct outcome outcomes[TOGETHER];
	size_t count;
	struct worker workers[MOST_THREADS];
	struct snapshot now;
	uint64_t looked; /* nanoseconds of CLOCK_MONOTONIC */
};

/* What tasks wait for and have open, right now. */
static int look_now(struct cleaning *clean, struct snapshot *now)
{
	struct warnings warnings = { 0 };
	struct scan_request request = { .threads = listing_threads(clean->l.context) };
	int e;

	for (size_t i = 0; i < clean->l.nkinds; i++)
		request.sources |= clean->l.kinds[i]->sources & SOURCES_WALKED;
	request.sources |= SOURCE_BLOCKED | SOURCE_HOLDERS | SOURCE_OPENERS;
	e = snapshot_take(now, &clean->l.context->scan, &request, &warnings);
	scan_request_free(&request);
	warnings_free(&warnings);
	return e;
}

static void note_outcome(struct cleaning *clean, struct candidate *c, int e, const struct report *report)
{
	struct span text = report->text;

	c->outcome = e == 0			       ? OUTCOME_REMOVED :
		     e == -ENOENT || e == PROJECT_SKIP ? OUTCOME_GONE :
		     e == -EBUSY || e == -ESTALE       ? OUTCOME_SPARED :
							 OUTCOME_FAILED;
	if (c->outcome == OUTCOME_GONE || (e == 0 && text.len == 0))
		return;
	if (e == -ESTALE)
		c->why = SPAN("another object has taken its place");
	else if (c->outcome == OUTCOME_FAILED && text.len > 0)
		c->why = arena_printf(&clean->arena, "%s (%.*s)", error_text(e), (int)text.len, text.ptr);
	else
		c->why = arena_span(&clean->arena, text.len > 0 ? text : span_of(error_text(e)));
	if (!c->why.ptr)
		c->why = SPAN("no memory to say why");
}

/* Forgets what was learned of processes too long ago, and looks anew. 0 or -ENOMEM. */
static int refresh(struct removals *r)
{
	uint64_t now = nanoseconds(CLOCK_MONOTONIC);

	if (now - r->looked < FRESH_SECONDS * 1000000000)
		return 0;
	r->looked = now;
	for (size_t i = 0; i < MOST_THREADS; i++) {
		projector_free(&r->workers[i].projector);
		r->workers[i].projector = (struct projector){ .snapshot = &r->clean->l.snapshot };
	}
	if (!r->clean->rules.stale)
		return 0;
	snapshot_free(&r->now);
	r->clean->rules.now = &r->now;
	return look_now(r->clean, &r->now);
}

static void remove_one(void *context, unsigned thread, size_t item)
{
	struct removals *r = context;
	const struct candidate *c = &r->clean->items[r->planned[item]];
	struct outcome *o = &r->outcomes[item];

	*o = (struct outcome){ 0 };
	o->error =
		kind_reclaim(c->kind, &r->workers[thread].projector, c->index, &r->clean->rules, &o->report);
}

/* Removes what was gathered. Whether to go on, as `after` says. */
static bool remove_together(struct removals *r, bool (*after)(void *data, const struct candidate *c),
			    void *data)
{
	unsigned threads = listing_threads(r->clean->l.context);
	bool more = true;

	parallel_run(&(struct parallel_work){ remove_one, r, r->count },
		     threads ? threads : processor_count());
	for (size_t i = 0; i < r->count; i++) {
		struct candidate *c = &r->clean->items[r->planned[i]];

		note_outcome(r->clean, c, r->outcomes[i].error, &r->outcomes[i].report);
		report_free(&r->outcomes[i].report);
		more &= after(data, c);
	}
	r->count = 0;
	return more;
}

int cleaning_carry_out(struct cleaning *clean, bool (*after)(void *data, const struct candidate *c),
		       void *data)
{
	struct removals *r = calloc(1, sizeof(*r));
	bool more = true;
	int e = 0;

	if (!r)
		return -ENOMEM;
	r->clean = clean;
	r->now.shm.root = r->now.queues.root = -1;
	for (size_t i = 0; e == 0 && more && i < clean->count; i++) {
		if (clean->items[i].action == CLEAN_REMOVE)
			r->planned[r->count++] = i;
		if (r->count == TOGETHER || (r->count > 0 && i + 1 == clean->count)) {
			e = refresh(r);
			if (e == 0)
				more = remove_together(r, after, data);
		}
	}
	clean->rules.now = NULL;
	snapshot_free(&r->now);
	for (size_t i = 0; i < MOST_THREADS; i++)
		projector_free(&r->workers[i].projector);
	free(r);
	return e;
}

void cleaning_free(struct cleaning *clean)
{
	listing_free(&clean->l);
	filters_free(&clean->filters);
	owners_free(&clean->owners);
	free(clean->items);
	for (size_t i = 0; i < clean->narenas; i++)
		arena_free(&clean->arenas[i]);
	free(clean->arenas);
	arena_free(&clean->arena);
}
