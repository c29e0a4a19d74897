/* SPDX-License-Identifier: MIT */
#include "cmd/survey.h"

#include <errno.h>
#include <time.h>

#include "cmd/crew.h"
#include "cmd/limits.h"
#include "cmd/waitlook.h"

const char *const survey_states[SURVEY_STATES] = {
	[SURVEY_IN_USE] = "in-use", [SURVEY_IDLE] = "idle",	  [SURVEY_ORPHANED] = "orphaned",
	[SURVEY_STALE] = "stale",   [SURVEY_UNKNOWN] = "unknown", [SURVEY_STATELESS] = "none",
};

/* Where a kind's table keeps what is counted; -1: it has no such field. */
struct columns {
	int state, ref, age, bytes, holders, waiters, fill, room;
};

/* What one batch of objects sums up to. */
struct tally {
	const struct columns *at;
	struct fieldset numbers; /* that are counted */
	struct kind_survey counts;
	struct arena arena;
};

struct round {
	struct columns at;
	struct fieldset numbers;
	struct tally *tallies;
};

static int find(const struct kind *k, const char *name)
{
	return name ? schema_find(k->schema, span_of(name)) : -1;
}

static struct columns columns_of(const struct kind *k)
{
	return (struct columns){
		.state = find(k, "state"),
		.ref = find(k, "ref"),
		.age = find(k, "age"),
		.bytes = find(k, k->bytes_field),
		.holders = find(k, "nholders"),
		.waiters = find(k, "waiters"),
		.fill = find(k, k->fill_field),
		.room = find(k, k->room_field),
	};
}

bool survey_sums(const struct kind *k, size_t field)
{
	const struct columns at = columns_of(k);
	const struct field *f = &k->schema->fields[field];

	return f->flags & FIELD_GAUGE && !(f->flags & FIELD_ON_DEMAND) && (int)field != at.bytes &&
	       (int)field != at.holders && (int)field != at.waiters;
}

bool summed_known(const struct summed *s)
{
	return s->known > 0 || s->unknown == 0;
}

static struct fieldset with(struct fieldset set, const int *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fields[i] >= 0)
			set.bits |= (uint64_t)1 << fields[i];
	return set;
}

/* The fields of a kind that are summed up, or of which it is counted where they are unknown. */
static struct fieldset numbers_of(const struct kind *k, const struct columns *at)
{
	const int fields[] = { at->bytes, at->holders, at->waiters, at->fill };
	struct fieldset set = { 0 };

	for (size_t f = 0; f < k->schema->nfields; f++)
		if (survey_sums(k, f))
			set.bits |= (uint64_t)1 << f;
	return with(set, fields, ARRAY_SIZE(fields));
}

static struct fieldset wanted(const struct columns *at, struct fieldset numbers)
{
	const int fields[] = { at->state, at->ref, at->age, at->room };

	return with(numbers, fields, ARRAY_SIZE(fields));
}

static bool has(const struct record *r, int field)
{
	return field >= 0 && r->values[field].state == VALUE_SET;
}

static void sum_up(struct summed *s, const struct record *r, int field)
{
	if (has(r, field)) {
		s->sum += r->values[field].u64;
		s->known++;
	} else if (field >= 0 && r->values[field].state == VALUE_UNKNOWN) {
		s->unknown++;
	}
}

static void add_sum(struct summed *s, const struct summed *part)
{
	s->sum += part->sum;
	s->known += part->known;
	s->unknown += part->unknown;
}

static size_t state_of(const struct record *r, int field)
{
	for (size_t i = 0; has(r, field) && i < SURVEY_STATELESS; i++)
		if (span_is(r->values[field].str, survey_states[i]))
			return i;
	return field < 0 ? SURVEY_STATELESS : SURVEY_UNKNOWN;
}

/* 0 or -ENOMEM. */
static int note_fill(struct tally *t, const struct record *r)
{
	uint64_t percent;

	if (!has(r, t->at->fill) || !has(r, t->at->room) || r->values[t->at->room].u64 == 0)
		return 0;
	percent = limit_percent(r->values[t->at->fill].u64, r->values[t->at->room].u64);
	if (t->counts.has_fill && percent <= t->counts.fullest)
		return 0;
	t->counts.has_fill = true;
	t->counts.fullest = percent;
	t->counts.fullest_ref = arena_span(&t->arena, r->values[t->at->ref].str);
	return t->counts.fullest_ref.ptr ? 0 : -ENOMEM;
}

static int count(void *data, size_t index _unused_, const struct record *r)
{
	struct tally *t = data;
	size_t state = state_of(r, t->at->state);
	struct state_sum *sum = &t->counts.states[state];
	uint64_t age;

	if (!t->counts.fields)
		t->counts.fields = arena_calloc(&t->arena, r->schema->nfields, sizeof(*t->counts.fields));
	if (!t->counts.fields)
		return -ENOMEM;
	sum->objects++;
	sum_up(&sum->bytes, r, t->at->bytes);
	sum_up(&sum->holders, r, t->at->holders);
	sum_up(&sum->waiters, r, t->at->waiters);
	for (size_t f = 0; f < r->schema->nfields; f++)
		if (wants(t->numbers, f))
			sum_up(&t->counts.fields[f], r, (int)f);
	age = has(r, t->at->age) ? r->values[t->at->age].u64 : 0;
	if (state == SURVEY_ORPHANED && has(r, t->at->age) &&
	    (!t->counts.has_orphan || age > t->counts.oldest_orphan)) {
		t->counts.has_orphan = true;
		t->counts.oldest_orphan = age;
	}
	return note_fill(t, r);
}

/* Adds what one batch counted. 0 or -ENOMEM. */
static int add(struct survey *s, struct kind_survey *k, const struct kind_survey *part)
{
	for (size_t i = 0; i < SURVEY_STATES; i++) {
		k->states[i].objects += part->states[i].objects;
		add_sum(&k->states[i].bytes, &part->states[i].bytes);
		add_sum(&k->states[i].holders, &part->states[i].holders);
		add_sum(&k->states[i].waiters, &part->states[i].waiters);
	}
	for (size_t f = 0; part->fields && f < k->kind->schema->nfields; f++)
		add_sum(&k->fields[f], &part->fields[f]);
	if (part->has_orphan && (!k->has_orphan || part->oldest_orphan > k->oldest_orphan)) {
		k->has_orphan = true;
		k->oldest_orphan = part->oldest_orphan;
	}
	if (part->has_fill && (!k->has_fill || part->fullest > k->fullest)) {
		k->has_fill = true;
		k->fullest = part->fullest;
		k->fullest_ref = arena_span(&s->arena, part->fullest_ref);
		return k->fullest_ref.ptr ? 0 : -ENOMEM;
	}
	return 0;
}

static void *tally_at(void *data, size_t number)
{
	const struct round *round = data;
	struct tally *t = &round->tallies[number];

	t->at = &round->at;
	t->numbers = round->numbers;
	return t;
}

static int count_kind(struct survey *s, size_t i)
{
	const struct kind *kind = s->l.kinds[i];
	struct kind_survey *k = &s->kinds[i];
	size_t nfields = kind->schema->nfields, n = crew_batches(&s->l, i);
	struct round round = { .at = columns_of(kind) };
	int e = -ENOMEM;

	round.numbers = numbers_of(kind, &round.at);
	k->kind = kind;
	k->fields = arena_calloc(&s->arena, nfields, sizeof(*k->fields));
	round.tallies = calloc(n + 1, sizeof(*round.tallies));
	if (k->fields && round.tallies)
		e = crew_each(&s->l, i, wanted(&round.at, round.numbers), count, tally_at, &round);
	for (size_t b = 0; round.tallies && b < n; b++) {
		if (e == 0)
			e = add(s, k, &round.tallies[b].counts);
		arena_free(&round.tallies[b].arena);
	}
	free(round.tallies);
	k->unread = snapshot_failed(&s->l.snapshot) & kind->sources && kind_count(kind, &s->l.snapshot) == 0;
	return e;
}

/* Circles, and threads that wait for the dead. 0 or -ENOMEM. */
static int count_hopeless(struct survey *s, const struct wait_graph *g)
{
	_cleanup_(free_ptr) bool *seen = calloc((size_t)g->ncycles + 1, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < g->nwaits; i++) {
		const struct wait *w = &g->waits[i];

		s->deadlocks += w->verdict == WAIT_DEADLOCK && !seen[w->cycle];
		s->likely_deadlocks += w->verdict == WAIT_LIKELY_DEADLOCK && !seen[w->cycle];
		s->dead_owners += w->verdict == WAIT_OWNER_DEAD;
		seen[w->cycle] = w->cycle != 0;
	}
	return 0;
}

/* Who waits, and what of that can never end. -1 or the exit status. */
static int count_waits(struct survey *s, struct wait_look *look, const struct kind_list *list,
		       struct warnings *warnings)
{
	struct context *c = s->l.context;
	int status;

	if (wait_look_into(look, c, &s->l.snapshot, list, warnings) < 0)
		return out_of_memory(c);
	for (size_t i = 0; i < look->g.nwaits; i++) {
		const struct wait *w = &look->g.waits[i];

		s->blocked += i == 0 || w->pid != w[-1].pid || w->tid != w[-1].tid;
	}
	status = wait_look_confirm(look, c, list);
	if (status < 0 && count_hopeless(s, &look->g) < 0)
		status = out_of_memory(c);
	return status;
}

/* 0 or -ENOMEM. */
static int take(struct survey *s, unsigned sources, struct warnings *warnings)
{
	struct listing *l = &s->l;
	struct scan_request request = { .depth = select_depth(&l->context->options),
					.threads = listing_threads(l->context) };
	int e;

	request.sources = sources;
	for (size_t i = 0; i < l->nkinds; i++) {
		const struct kind *k = l->kinds[i];
		const struct columns at = columns_of(k);

		request.sources |= k->sources | schema_sources(k->schema, wanted(&at, numbers_of(k, &at)));
		for (size_t j = 0; j < k->nlimits; j++)
			request.sources |= k->limits[j].sources;
	}
	l->taken = true;
	e = snapshot_take(&l->snapshot, &l->context->scan, &request, warnings);
	scan_request_free(&request);
	s->kinds = calloc(l->nkinds + 1, sizeof(*s->kinds));
	if (e == 0 && !s->kinds)
		e = -ENOMEM;
	for (size_t i = 0; e == 0 && i < l->nkinds; i++)
		e = count_kind(s, i);
	return e;
}

int survey_take(struct survey *s, struct context *c, const struct kind_list *list, struct warnings *warnings)
{
	uint64_t before = nanoseconds(CLOCK_MONOTONIC);
	struct wait_look look = { 0 };
	int status;

	status = listing_init_kinds(&s->l, c, list);
	if (status < 0)
		status = wait_look_init(&look, c, list);
	if (status < 0 && take(s, wait_look_sources(&look), warnings) < 0)
		status = out_of_memory(c);
	if (status < 0)
		status = count_waits(s, &look, list, warnings);
	wait_look_free(&look);
	if (status >= 0)
		return status;
	s->nanoseconds = nanoseconds(CLOCK_MONOTONIC) - before;
	s->unreadable_processes = snapshot_unreadable(&s->l.snapshot);
	s->complete = !warnings->incomplete;
	return -1;
}

void survey_free(struct survey *s)
{
	listing_free(&s->l);
	free(s->kinds);
	arena_free(&s->arena);
}
