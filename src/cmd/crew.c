/* SPDX-License-Identifier: MIT */
#include "cmd/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* Batches of text in memory for each thread: short delays of one do not stop the others. */
#define SLOTS 8

static unsigned threads_of(const struct listing *l)
{
	unsigned threads = listing_threads(l->context);

	return threads ? threads : processor_count();
}

size_t crew_batches(const struct listing *l, size_t kind)
{
	return (kind_count(l->kinds[kind], &l->snapshot) + BATCH - 1) / BATCH;
}

/* End of the batch of a kind that begins at start. */
static size_t batch_end(const struct listing *l, size_t kind, size_t start)
{
	size_t n = kind_count(l->kinds[kind], &l->snapshot);

	return n - start < BATCH ? n : start + BATCH;
}

/* Where one batch is rendered, and stays until all before it are written. */
struct slot {
	struct sheet_worker worker;
	bool ready;
	APART;
};

/*
 * Batches of all kinds, rendered by several threads and written in order, by whoever finishes
 * the one whose turn it is. Others go on meanwhile, as far as there are slots.
 */
struct crew {
	struct listing *listing;
	size_t *first; /* number of each kind's first batch; behind the last: all */
	struct hand hands[MOST_THREADS];
	struct slot *slots; /* of batch N: N % nslots */
	size_t nslots;
	pthread_mutex_t lock;
	pthread_cond_t turn_came;
	size_t turn; /* the batch that is to be written next */
	bool writing;
	int error;
	atomic_bool stop; /* nobody reads it any more, or memory ran out */
};

/* One thread of a crew at work. */
struct worker {
	struct listing *listing;
	struct sheet_worker *worker;
};

static int show_rendered(void *data, size_t index _unused_, const struct record *r)
{
	struct worker *worker = data;

	return sheet_render(&worker->listing->sheet, worker->worker, r);
}

static int render_batch(struct crew *c, struct hand *h, struct sheet_worker *w, size_t number)
{
	struct listing *l = c->listing;
	size_t kind = 0, start;

	while (number >= c->first[kind + 1])
		kind++;
	start = (number - c->first[kind]) * BATCH;
	h->projector.snapshot = &l->snapshot;
	h->projector.want = sheet_fields(&l->sheet, kind);
	return listing_range(l, h, kind, start, batch_end(l, kind, start), show_rendered,
			     &(struct worker){ l, w });
}

/* Writes what is ready. The lock is held, but not while something is written. */
static void write_ready(struct crew *c)
{
	struct slot *slot;

	c->writing = true;
	while ((slot = &c->slots[c->turn % c->nslots])->ready) {
		pthread_mutex_unlock(&c->lock);
		if (!atomic_load(&c->stop))
			sheet_take(&c->listing->sheet, &slot->worker);
		if (c->listing->context->out.error)
			atomic_store(&c->stop, true);
		pthread_mutex_lock(&c->lock);
		slot->ready = false;
		c->turn++;
		pthread_cond_broadcast(&c->turn_came);
	}
	c->writing = false;
}

static void run_batch(void *context, unsigned thread, size_t number)
{
	struct crew *c = context;
	struct slot *slot = &c->slots[number % c->nslots];
	int e = 0;

	/* Batches are begun in order, so the one whose turn it is is never waiting. */
	pthread_mutex_lock(&c->lock);
	while (number >= c->turn + c->nslots)
		pthread_cond_wait(&c->turn_came, &c->lock);
	pthread_mutex_unlock(&c->lock);
	if (!atomic_load(&c->stop))
		e = render_batch(c, &c->hands[thread], &slot->worker, number);
	pthread_mutex_lock(&c->lock);
	if (e < 0) {
		c->error = e;
		atomic_store(&c->stop, true);
	}
	slot->ready = true;
	if (!c->writing)
		write_ready(c);
	pthread_mutex_unlock(&c->lock);
}

static void crew_free(struct crew *c)
{
	for (size_t i = 0; c->slots && i < c->nslots; i++) {
		warnings_merge(&c->listing->sheet.warnings, &c->slots[i].worker.warnings);
		sheet_worker_free(&c->slots[i].worker);
	}
	for (size_t i = 0; i < MOST_THREADS; i++)
		hand_free(&c->hands[i]);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->turn_came);
	free(c->slots);
	free(c->first);
	free(c);
}

int crew_show_all(struct listing *l)
{
	struct crew *c = calloc(1, sizeof(*c));
	unsigned threads = threads_of(l);
	int e = 0;

	if (!c)
		return -ENOMEM;
	c->listing = l;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->turn_came, NULL);
	c->first = calloc(l->nkinds + 1, sizeof(*c->first));
	c->nslots = (size_t)threads * SLOTS;
	c->slots = calloc(c->nslots, sizeof(*c->slots));
	if (!c->first || !c->slots)
		e = -ENOMEM;
	for (size_t i = 0; e == 0 && i < l->nkinds; i++)
		c->first[i + 1] = c->first[i] + crew_batches(l, i);
	if (e == 0)
		parallel_run(&(struct parallel_work){ run_batch, c, c->first[l->nkinds] }, threads);
	if (e == 0)
		e = c->error;
	crew_free(c);
	return e;
}

struct survey {
	struct listing *listing;
	size_t kind;
	struct fieldset want;
	int (*visit)(void *batch, size_t index, const struct record *r);
	void *(*batch)(void *data, size_t number);
	void *data;
	struct hand hands[MOST_THREADS];
	atomic_int error;
};

static void survey_batch(void *context, unsigned thread, size_t number)
{
	struct survey *s = context;
	struct listing *l = s->listing;
	struct hand *h = &s->hands[thread];
	int e;

	if (atomic_load(&s->error) < 0)
		return;
	h->projector.snapshot = &l->snapshot;
	h->projector.want = s->want;
	e = listing_range(l, h, s->kind, number * BATCH, batch_end(l, s->kind, number * BATCH), s->visit,
			  s->batch(s->data, number));
	if (e < 0)
		atomic_store(&s->error, e);
}

int crew_each(struct listing *l, size_t kind, struct fieldset want,
	      int (*visit)(void *batch, size_t index, const struct record *r),
	      void *(*batch)(void *data, size_t number), void *data)
{
	struct survey *s = calloc(1, sizeof(*s));
	int e;

	if (!s)
		return -ENOMEM;
	s->listing = l;
	s->kind = kind;
	s->want = want;
	s->visit = visit;
	s->batch = batch;
	s->data = data;
	parallel_run(&(struct parallel_work){ survey_batch, s, crew_batches(l, kind) }, threads_of(l));
	e = atomic_load(&s->error);
	for (size_t i = 0; i < MOST_THREADS; i++)
		hand_free(&s->hands[i]);
	free(s);
	return e;
}
