/* SPDX-License-Identifier: MIT */
#include "cmd/waitgraph.h"

void wait_graph_free(struct wait_graph *g)
{
	free(g->waits);
	free(g->objects);
	free(g->releasers);
	arena_free(&g->arena);
	*g = (struct wait_graph){ 0 };
}

size_t wait_graph_of_task(const struct wait_graph *g, uint32_t pid, uint32_t tid, size_t *count)
{
	size_t low = 0, high = g->nwaits, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct wait *w = &g->waits[middle];

		if (w->pid < pid || (w->pid == pid && w->tid < tid))
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low;
	     end < g->nwaits && g->waits[end].pid == pid && (tid == 0 || g->waits[end].tid == tid);)
		end++;
	*count = end - low;
	return low;
}

bool wait_graph_waits(const struct wait_graph *g, uint32_t pid, uint32_t tid)
{
	size_t count;

	wait_graph_of_task(g, pid, tid, &count);
	return count > 0;
}

/* Where the next role begins. */
static size_t end_of_role(const struct awaited *o, const struct releaser *all, size_t from)
{
	size_t low = from + 1, high = o->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (span_eq(all[middle].role, all[from].role))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the waiter itself is among those of one role. */
static bool has_role(const struct releaser *all, size_t from, size_t to, const struct wait *w)
{
	size_t end = to;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (all[middle].pid < w->pid || (all[middle].pid == w->pid && all[middle].fd < w->fd))
			from = middle + 1;
		else
			to = middle;
	}
	return from < end && all[from].pid == w->pid && (w->fd < 0 || all[from].fd == w->fd);
}

/* Calls visit for those of one role, but for the process `but`; 0: for all. */
static int each_of_role(const struct releaser *all, size_t from, size_t to, uint32_t but, enum release why,
			int (*visit)(void *data, const struct releaser *r), void *data)
{
	int r = 0;

	for (size_t i = from; r == 0 && i < to; i++) {
		struct releaser one = all[i];

		one.why = why;
		if (one.pid != but && (i == from || one.pid != all[i - 1].pid || one.tid != all[i - 1].tid))
			r = visit(data, &one);
	}
	return r;
}

int wait_each_releaser(const struct wait_graph *g, const struct wait *w,
		       int (*visit)(void *data, const struct releaser *r), void *data)
{
	const struct awaited *o = &g->objects[w->object];
	const struct releaser *all = &g->releasers[o->first];
	size_t from, to, own = SIZE_MAX, roles = 0;
	int r = 0;

	if (o->count == 0)
		return w->last.pid ? visit(data, &w->last) : 0;
	if (all[0].why != RELEASE_SHARES)
		return each_of_role(all, 0, o->count, 0, all[0].why, visit, data);
	/* Who holds it in another role is at the other end: a writer of a pipe, for one who reads. */
	for (from = 0; from < o->count; from = to, roles++) {
		to = end_of_role(o, all, from);
		if (own == SIZE_MAX && has_role(all, from, to, w))
			own = from;
	}
	for (from = 0; r == 0 && from < o->count; from = to) {
		to = end_of_role(o, all, from);
		if (roles == 1 || own == SIZE_MAX)
			r = each_of_role(all, from, to, w->pid, RELEASE_SHARES, visit, data);
		else if (from != own)
			r = each_of_role(all, from, to, 0, RELEASE_OTHER_END, visit, data);
	}
	return r;
}
