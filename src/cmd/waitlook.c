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

/* -1 or the exit status. */
static int look_once(struct wait_look *look, struct context *c, const struct kind_list *list,
		     struct warnings *warnings)
{
	struct scan_request request = { .threads = listing_threads(c) };
	int status, e = widen(list, &look->wide);

	if (e < 0)
		return out_of_memory(c);
	status = listing_init_kinds(&look->l, c, &look->wide);
	if (status >= 0)
		return status;
	request.sources = wait_graph_sources(&look->l);
	look->l.taken = true;
	e = snapshot_take(&look->l.snapshot, &c->scan, &request, warnings);
	scan_request_free(&request);
	if (e == 0)
		e = wait_graph_build(&look->g, &look->l, list, warnings);
	if (e == 0)
		e = wait_graph_judge(&look->g, &look->l.snapshot);
	if (e == 0)
		e = note_runs(look, c);
	return e < 0 ? out_of_memory(c) : -1;
}

/* Whether the first look found the same task without hope, and it has slept ever since. */
static bool is_confirmed(const struct wait_look *first, const struct wait_look *second, size_t i)
{
	const struct wait *now = &second->g.waits[i];
	size_t count, at = wait_graph_of_task(&first->g, now->pid, now->tid, &count);

	for (size_t k = at; k < at + count; k++) {
		const struct wait *then = &first->g.waits[k];

		if (then->verdict == now->verdict && first->runs[k] == second->runs[i] &&
		    span_eq(first->g.objects[then->object].ref, second->g.objects[now->object].ref))
			return true;
	}
	return false;
}

/* Takes the verdicts away that the first look does not confirm. 0 or -ENOMEM. */
static int doubt(const struct wait_look *first, struct wait_look *second)
{
	_cleanup_(free_ptr) bool *doubtful = calloc(second->g.nwaits + 1, sizeof(*doubtful));

	if (!doubtful)
		return -ENOMEM;
	for (size_t i = 0; i < second->g.nwaits; i++)
		doubtful[i] = second->g.waits[i].verdict != WAIT_GOES_ON && !is_confirmed(first, second, i);
	return wait_graph_doubt(&second->g, doubtful);
}

/*
 * A snapshot is not taken at one moment: what it shows as a circle may never have been one. So
 * deadlocks are looked at again, and count if nobody has moved meanwhile. -1 or the exit status.
 */
static int look_again(struct wait_look *current, struct context *c, const struct kind_list *list,
		      struct warnings *warnings)
{
	const struct timespec pause = { .tv_nsec = SECOND_LOOK_NANOSECONDS };
	struct wait_look second = { 0 }, first = *current;
	bool again = false;
	int status;

	for (size_t i = 0; i < first.g.nwaits; i++)
		again |= first.g.waits[i].verdict != WAIT_GOES_ON;
	if (!again)
		return -1;
	nanosleep(&pause, NULL);
	/* What could not be read this time is what counts. */
	warnings_free(warnings);
	*warnings = (struct warnings){ 0 };
	status = look_once(&second, c, list, warnings);
	if (status < 0 && doubt(&first, &second) < 0)
		status = out_of_memory(c);
	wait_look_free(&first);
	*current = second;
	return status;
}

int wait_look(struct wait_look *look, struct context *c, const struct kind_list *asked,
	      struct warnings *warnings)
{
	int status = look_once(look, c, asked, warnings);

	return status < 0 ? look_again(look, c, asked, warnings) : status;
}
