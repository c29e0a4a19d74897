/* SPDX-License-Identifier: MIT */
#include "cmd/waitlook.h"

#include <errno.h>
#include <time.h>

#include "kind/registry.h"

/* How long to wait before a deadlock is looked at again. */
#define SECOND_LOOK_NANOSECONDS 100000000

void wait_look_free(struct wait_look *look)
{
	wait_graph_free(&look->g);
	listing_free(&look->l);
	kind_list_free(&look->wide);
	free(look->runs);
}

/* What is looked at: the kinds that were asked for, and those through which circles go. */
static int widen(const struct kind_list *asked, struct kind_list *wide)
{
	size_t n = 0;

	for (const struct kind *const *k = kinds; *k; k++)
		n++;
	wide->items = calloc(n + 1, sizeof(*wide->items));
	if (!wide->items)
		return -ENOMEM;
	for (const struct kind *const *k = kinds; *k; k++) {
		bool wanted = (*k)->excludes;

		for (size_t i = 0; i < asked->count; i++)
			wanted |= asked->items[i] == *k;
		if (wanted)
			wide->items[wide->count++] = *k;
	}
	return 0;
}

/* How often each task without hope has run. 0 or -ENOMEM. */
static int note_runs(struct wait_look *look, struct context *c)
{
	look->runs = calloc(look->g.nwaits + 1, sizeof(*look->runs));
	if (!look->runs)
		return -ENOMEM;
	for (size_t i = 0; i < look->g.nwaits; i++) {
		const struct wait *w = &look->g.waits[i];

		if (w->verdict == WAIT_GOES_ON || task_runs(&c->scan, w->pid, w->tid, &look->runs[i]) < 0)
			look->runs[i] = UINT64_MAX;
	}
	return 0;
}

int wait_look_init(struct wait_look *look, struct context *c, const struct kind_list *asked)
{
	if (widen(asked, &look->wide) < 0)
		return out_of_memory(c);
	return listing_init_kinds(&look->l, c, &look->wide);
}

unsigned wait_look_sources(const struct wait_look *look)
{
	return wait_graph_sources(&look->l);
}

static int build(struct wait_look *look, struct context *c, const struct kind_list *asked,
		 struct warnings *warnings)
{
	int e = wait_graph_build(&look->g, &look->l, asked, warnings);

	if (e == 0)
		e = wait_graph_judge(&look->g, &look->l.snapshot);
	return e == 0 ? note_runs(look, c) : e;
}

int wait_look_into(struct wait_look *look, struct context *c, const struct snapshot *s,
		   const struct kind_list *asked, struct warnings *warnings)
{
	/* It stays theirs: what is not taken is not freed. */
	look->l.snapshot = *s;
	return build(look, c, asked, warnings);
}

int wait_look_take(struct wait_look *look, struct context *c, const struct kind_list *asked,
		   struct warnings *warnings)
{
	struct scan_request request = { .threads = listing_threads(c) };
	int e, status = wait_look_init(look, c, asked);

	if (status >= 0)
		return status;
	request.sources = wait_look_sources(look);
	look->l.taken = true;
	e = snapshot_take(&look->l.snapshot, &c->scan, &request, warnings);
	scan_request_free(&request);
	if (e == 0)
		e = build(look, c, asked, warnings);
	return e < 0 ? out_of_memory(c) : -1;
}

bool wait_look_is_hopeless(const struct wait_look *look)
{
	for (size_t i = 0; i < look->g.nwaits; i++)
		if (look->g.waits[i].verdict != WAIT_GOES_ON)
			return true;
	return false;
}

void wait_look_pause(void)
{
	const struct timespec pause = { .tv_nsec = SECOND_LOOK_NANOSECONDS };

	nanosleep(&pause, NULL);
}

/* Whether the other look found the same task without hope, and it slept all the time between them. */
static bool is_confirmed(const struct wait_look *other, const struct wait_look *look, size_t i)
{
	const struct wait *here = &look->g.waits[i];
	size_t count, at = wait_graph_of_task(&other->g, here->pid, here->tid, &count);

	for (size_t k = at; k < at + count; k++) {
		const struct wait *there = &other->g.waits[k];

		if (there->verdict == here->verdict && other->runs[k] == look->runs[i] &&
		    span_eq(other->g.objects[there->object].ref, look->g.objects[here->object].ref))
			return true;
	}
	return false;
}

int wait_look_doubt(struct wait_look *look, const struct wait_look *other)
{
	_cleanup_(free_ptr) bool *doubtful = calloc(look->g.nwaits + 1, sizeof(*doubtful));

	if (!doubtful)
		return -ENOMEM;
	for (size_t i = 0; i < look->g.nwaits; i++)
		doubtful[i] = look->g.waits[i].verdict != WAIT_GOES_ON && !is_confirmed(other, look, i);
	return wait_graph_doubt(&look->g, doubtful);
}

int wait_look_confirm(struct wait_look *look, struct context *c, const struct kind_list *asked)
{
	struct wait_look second = { 0 };
	struct warnings unheard = { 0 };
	int status;

	if (!wait_look_is_hopeless(look))
		return -1;
	wait_look_pause();
	status = wait_look_take(&second, c, asked, &unheard);
	if (status < 0 && wait_look_doubt(look, &second) < 0)
		status = out_of_memory(c);
	wait_look_free(&second);
	warnings_free(&unheard);
	return status;
}
