/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks. First everything that may still go on is taken away, until nothing changes: a task
 * whose wait ends by itself, or which one may release that can still run. What is left can never
 * go on. Of that the circles are told (Tarjan's strongly connected components), and not who
 * merely waits for one of them.
 */
#include <errno.h>

#include "cmd/waitgraph.h"
#include "lib/components.h"
#include "lib/vec.h"

/* A thread with waits[first .. first + count). */
struct stuck_task {
	uint32_t pid, tid;
	size_t first, count;
	size_t process;
	bool stuck;
};

/* A process with tasks[first .. first + count). */
struct stuck_process {
	uint32_t pid;
	size_t first, count;
	size_t stuck; /* of them that are */
	size_t able;  /* threads that can run, for all that is known */
};

/* Nodes of the graph: tasks, then objects, then processes. */
struct deadlocks {
	struct wait_graph *g;
	const struct snapshot *snapshot;
	struct stuck_task *tasks;
	size_t ntasks;
	struct stuck_process *processes;
	size_t nprocesses;
	struct edge *edges; /* ordered by `from` */
	size_t nedges;
	size_t *first_edge; /* of each node */
	size_t *components; /* number of that of each node */
};

static int collect_tasks(struct deadlocks *d)
{
	const struct wait_graph *g = d->g;

	d->tasks = calloc(g->nwaits + 1, sizeof(*d->tasks));
	d->processes = calloc(g->nwaits + 1, sizeof(*d->processes));
	if (!d->tasks || !d->processes)
		return -ENOMEM;
	for (size_t i = 0; i < g->nwaits; i++) {
		const struct wait *w = &g->waits[i];
		struct stuck_task *t = d->ntasks ? &d->tasks[d->ntasks - 1] : NULL;

		if (!t || t->pid != w->pid || t->tid != w->tid) {
			if (!t || t->pid != w->pid)
				d->processes[d->nprocesses++] =
					(struct stuck_process){ .pid = w->pid, .first = d->ntasks };
			t = &d->tasks[d->ntasks++];
			*t = (struct stuck_task){
				.pid = w->pid, .tid = w->tid, .first = i, .process = d->nprocesses - 1
			};
			d->processes[t->process].count++;
		}
		t->count++;
	}
	return 0;
}

static int compare_pids(const void *pa, const void *pb)
{
	const struct stuck_process *a = pa, *b = pb;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static struct stuck_process *find_process(const struct deadlocks *d, uint32_t pid)
{
	struct stuck_process key = { .pid = pid };

	return d->nprocesses ? bsearch(&key, d->processes, d->nprocesses, sizeof(key), compare_pids) : NULL;
}

/* A thread that sleeps until another of its process wakes it: it does not let go by itself. */
static bool is_parked(const struct task *task)
{
	return (task->wait == WAIT_FUTEX || task->wait == WAIT_FUTEX_WAIT) && !task_wait_is_timed(task);
}

/* Threads of a process that could do something: neither do they wait here, nor are they parked. */
static void count_able(struct deadlocks *d)
{
	const struct tasks *all = &d->snapshot->tasks;
	size_t at = 0;

	for (size_t i = 0; i < d->nprocesses; i++) {
		struct stuck_process *p = &d->processes[i];
		int64_t threads = task_count(d->snapshot->context, p->pid);
		size_t asleep = p->count, found;

		while (at < all->count && all->items[at].pid < p->pid)
			at++;
		for (; at < all->count && all->items[at].pid == p->pid; at++) {
			wait_graph_of_task(d->g, p->pid, all->items[at].tid, &found);
			asleep += found == 0 && is_parked(&all->items[at]);
		}
		if (threads < 0)
			p->able = 1; /* not to be told */
		else
			p->able = (size_t)threads > asleep ? (size_t)threads - asleep : 0;
	}
}

static int compare_tasks(const void *pa, const void *pb)
{
	const struct stuck_task *a = pa, *b = pb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

static struct stuck_task *find_task(const struct deadlocks *d, uint32_t pid, uint32_t tid)
{
	struct stuck_task key = { .pid = pid, .tid = tid };

	return d->ntasks ? bsearch(&key, d->tasks, d->ntasks, sizeof(key), compare_tasks) : NULL;
}

static bool is_stuck_process(const struct stuck_process *p)
{
	return p && p->able == 0 && p->stuck == p->count;
}

/* Whether somebody who may release it can still run: 1 or 0. */
static int can_release(void *data, const struct releaser *r)
{
	const struct deadlocks *d = data;

	if (r->why == RELEASE_OWNER && r->tid) {
		const struct stuck_task *t = find_task(d, r->pid, r->tid);

		return !t || !t->stuck;
	}
	return !is_stuck_process(find_process(d, r->pid));
}

static int count_releaser(void *data, const struct releaser *r _unused_)
{
	++*(size_t *)data;
	return 1;
}

/* Whether the task's wait can be part of a circle at all. */
static bool may_be_stuck(const struct deadlocks *d, const struct stuck_task *t)
{
	const struct wait *w = &d->g->waits[t->first];
	size_t releasers = 0;

	if (t->count != 1 || w->timed || w->among || !d->g->objects[w->object].kind->excludes)
		return false;
	if (d->g->objects[w->object].count > 0 &&
	    d->g->releasers[d->g->objects[w->object].first].why == RELEASE_SHARES)
		return false;
	wait_each_releaser(d->g, w, count_releaser, &releasers);
	return releasers > 0;
}

/* Takes away what can go on. */
static void free_the_free(struct deadlocks *d)
{
	bool changed = true;

	for (size_t i = 0; i < d->ntasks; i++) {
		d->tasks[i].stuck = may_be_stuck(d, &d->tasks[i]);
		d->processes[d->tasks[i].process].stuck += d->tasks[i].stuck;
	}
	while (changed) {
		changed = false;
		for (size_t i = 0; i < d->ntasks; i++) {
			struct stuck_task *t = &d->tasks[i];

			if (!t->stuck || !wait_each_releaser(d->g, &d->g->waits[t->first], can_release, d))
				continue;
			t->stuck = false;
			d->processes[t->process].stuck--;
			changed = true;
		}
	}
}

static int add_edge(struct deadlocks *d, size_t from, size_t to)
{
	if (vec_reserve(&d->edges, d->nedges, sizeof(*d->edges)) < 0)
		return -ENOMEM;
	d->edges[d->nedges++] = (struct edge){ from, to };
	return 0;
}

/* Edges from one node, while its releasers are told. */
struct edges_from {
	struct deadlocks *d;
	size_t from;
};

static int add_releaser_edge(void *data, const struct releaser *r)
{
	struct edges_from *e = data;
	struct deadlocks *d = e->d;
	const struct stuck_task *t;

	if (r->why == RELEASE_OWNER && r->tid) {
		t = find_task(d, r->pid, r->tid);
		return t ? add_edge(d, e->from, (size_t)(t - d->tasks)) : 0;
	}
	return add_edge(d, e->from,
			d->ntasks + d->g->nobjects + (size_t)(find_process(d, r->pid) - d->processes));
}

/*
 * A task leads to the object it waits for, that to those who may release it, a process to its
 * tasks: so that their number grows no faster than that of the waits. Where each task waits for
 * somebody else, it leads there itself.
 */
static int collect_edges(struct deadlocks *d)
{
	_cleanup_(free_ptr) bool *told = calloc(d->g->nobjects + 1, sizeof(*told));
	int e = told ? 0 : -ENOMEM;

	for (size_t i = 0; e == 0 && i < d->ntasks; i++) {
		const struct wait *w = &d->g->waits[d->tasks[i].first];
		bool common = d->g->objects[w->object].count > 0;
		struct edges_from from = { d, common ? d->ntasks + w->object : i };

		if (!d->tasks[i].stuck)
			continue;
		if (common)
			e = add_edge(d, i, from.from);
		if (e == 0 && !told[w->object])
			e = wait_each_releaser(d->g, w, add_releaser_edge, &from);
		told[w->object] = common;
	}
	for (size_t p = 0; e == 0 && p < d->nprocesses; p++)
		for (size_t i = 0; e == 0 && is_stuck_process(&d->processes[p]) && i < d->processes[p].count;
		     i++)
			e = add_edge(d, d->ntasks + d->g->nobjects + p, d->processes[p].first + i);
	return e;
}

/* A circle is told by its component: what is known of that. */
struct circle {
	uint32_t number; /* 0: none yet */
	bool likely;	 /* someone's part in it is only likely */
};

static int note_likely(void *data, const struct releaser *r)
{
	struct circle *c = data;

	c->likely |= r->why == RELEASE_LAST;
	return 0;
}

/* Whether a task is in a circle: one alone has no way back to itself but through its object. */
static bool is_in_circle(const struct deadlocks *d, size_t task)
{
	for (size_t e = d->first_edge[task]; d->tasks[task].stuck && e < d->first_edge[task + 1]; e++)
		if (d->components[d->edges[e].to] == d->components[task])
			return true;
	return false;
}

/* Numbers the circles, in the order of the first task of each. */
static int number_circles(struct deadlocks *d, size_t ncomponents)
{
	_cleanup_(free_ptr) struct circle *circles = calloc(ncomponents + 1, sizeof(*circles));

	if (!circles)
		return -ENOMEM;
	for (size_t i = 0; i < d->ntasks; i++) {
		struct circle *circle = &circles[d->components[i]];

		if (!is_in_circle(d, i))
			continue;
		if (circle->number == 0)
			circle->number = ++d->g->ncycles;
		wait_each_releaser(d->g, &d->g->waits[d->tasks[i].first], note_likely, circle);
	}
	for (size_t i = 0; i < d->ntasks; i++) {
		const struct circle *circle = &circles[d->components[i]];
		struct wait *w = &d->g->waits[d->tasks[i].first];

		if (!is_in_circle(d, i))
			continue;
		w->verdict = circle->likely ? WAIT_LIKELY_DEADLOCK : WAIT_DEADLOCK;
		w->cycle = circle->number;
	}
	return 0;
}

int wait_graph_doubt(struct wait_graph *g, const bool *doubtful)
{
	_cleanup_(free_ptr) uint32_t *numbers = calloc((size_t)g->ncycles + 1, sizeof(*numbers));
	const uint32_t broken = UINT32_MAX;
	uint32_t n = 0;

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < g->nwaits; i++)
		if (doubtful[i])
			numbers[g->waits[i].cycle] = broken;
	for (size_t i = 0; i < g->nwaits; i++) {
		struct wait *w = &g->waits[i];

		if (doubtful[i] || (w->cycle && numbers[w->cycle] == broken)) {
			w->verdict = WAIT_GOES_ON;
			w->cycle = 0;
		} else if (w->cycle) {
			if (numbers[w->cycle] == 0)
				numbers[w->cycle] = ++n;
			w->cycle = numbers[w->cycle];
		}
	}
	g->ncycles = n;
	return 0;
}

static int find_circles(struct deadlocks *d)
{
	size_t nnodes = d->ntasks + d->g->nobjects + d->nprocesses;
	int e;

	d->first_edge = calloc(nnodes + 1, sizeof(*d->first_edge));
	d->components = calloc(nnodes + 1, sizeof(*d->components));
	if (!d->first_edge || !d->components)
		return -ENOMEM;
	edges_index(d->edges, d->nedges, d->first_edge, nnodes);
	e = components_find(d->edges, d->first_edge, nnodes, d->components);
	return e < 0 ? e : number_circles(d, nnodes);
}

int wait_graph_judge(struct wait_graph *g, const struct snapshot *s)
{
	struct deadlocks d = { .g = g, .snapshot = s };
	int e = collect_tasks(&d);

	g->ncycles = 0;
	for (size_t i = 0; i < g->nwaits; i++) {
		g->waits[i].cycle = 0;
		g->waits[i].verdict = g->objects[g->waits[i].object].dead ? WAIT_OWNER_DEAD : WAIT_GOES_ON;
	}
	if (e == 0) {
		count_able(&d);
		free_the_free(&d);
		e = collect_edges(&d);
	}
	if (e == 0)
		e = find_circles(&d);
	free(d.tasks);
	free(d.processes);
	free(d.edges);
	free(d.first_edge);
	free(d.components);
	return e;
}
