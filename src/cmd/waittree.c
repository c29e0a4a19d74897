/* SPDX-License-Identifier: MIT */
#include "cmd/waittree.h"

#include <errno.h>

#include "lib/escape.h"
#include "model/format.h"
#include "scan/slept.h"

/* Deeper chains go on at the margin. */
#define MOST_DEPTH 32

/* What stands at the end of an object's line, by what its first releaser has to do with it. */
static const char *const held_words[] = {
	[RELEASE_OWNER] = "locked by it",      [RELEASE_HOLDER] = "held by it",
	[RELEASE_LAST] = "changed last by it", [RELEASE_OTHER_END] = "the other end is its",
	[RELEASE_SHARES] = "shared by it",
};

/* An object as the tree has it. */
struct branch {
	size_t object;
	struct releaser first; /* pid 0: there is none */
	size_t releasers;      /* processes, counted no further than one more */
	size_t from, count;    /* among the order */
	bool printed;	       /* or not asked for */
};

struct tree {
	const struct wait_graph *g;
	struct context *c;
	struct processes processes;
	struct branch *branches; /* ordered by the first releaser's pid */
	size_t *order;		 /* indices of waits, by object */
};

struct first_releaser {
	struct releaser first;
	size_t count;
};

static int note_releaser(void *data, const struct releaser *r)
{
	struct first_releaser *f = data;

	if (f->count++ == 0)
		f->first = *r;
	return f->count > 1;
}

static int compare_branches(const void *pa, const void *pb)
{
	const struct branch *a = pa, *b = pb;

	if (a->first.pid != b->first.pid)
		return a->first.pid < b->first.pid ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

/* Puts the waits in the order of objects, and the objects in that of who could release them. */
static int tree_init(struct tree *t)
{
	const struct wait_graph *g = t->g;
	size_t at = 0;

	t->branches = calloc(g->nobjects + 1, sizeof(*t->branches));
	t->order = calloc(g->nwaits + 1, sizeof(*t->order));
	if (!t->branches || !t->order)
		return -ENOMEM;
	for (size_t i = 0; i < g->nwaits; i++)
		t->branches[g->waits[i].object].count++;
	for (size_t o = 0; o < g->nobjects; o++) {
		t->branches[o].object = o;
		t->branches[o].from = at;
		at += t->branches[o].count;
		t->branches[o].count = 0;
	}
	for (size_t i = 0; i < g->nwaits; i++) {
		struct branch *b = &t->branches[g->waits[i].object];
		struct first_releaser f = { 0 };

		if (b->count == 0) {
			wait_each_releaser(g, &g->waits[i], note_releaser, &f);
			b->first = f.first;
			b->releasers = f.count;
		}
		t->order[b->from + b->count++] = i;
	}
	for (size_t o = 0; o < g->nobjects; o++)
		t->branches[o].printed = !g->objects[o].asked;
	if (g->nobjects > 1)
		qsort(t->branches, g->nobjects, sizeof(*t->branches), compare_branches);
	return 0;
}

static void put_process(struct tree *t, struct buf *b, uint32_t pid, uint32_t tid)
{
	const struct process *p = process_get(&t->processes, &t->c->scan, pid);

	buf_printf(b, "%u", pid);
	if (p && p->error == 0) {
		buf_putc(b, ' ');
		escape_into(b, p->command);
	}
	if (tid && tid != pid)
		buf_printf(b, " (thread %u)", tid);
}

/* "flock exclusive", "semop semaphore 3: -1" */
static void put_call(struct buf *b, const struct wait *w)
{
	buf_puts(b, w->call);
	if (w->operation.len > 0) {
		buf_putc(b, ' ');
		escape_into(b, w->operation);
	}
}

/* " (for 5m)", where the kernel tells. */
static void put_duration(struct tree *t, struct buf *b, const struct wait *w)
{
	uint64_t slept;

	if (task_slept(&t->c->scan, w->pid, w->tid, &slept) < 0)
		return;
	buf_puts(b, " (for ");
	format_duration(b, slept);
	buf_puts(b, ")");
}

static void put_verdict(struct buf *b, const struct wait *w)
{
	if (w->cycle)
		buf_printf(b, "  %sDEADLOCK %u", w->verdict == WAIT_LIKELY_DEADLOCK ? "LIKELY " : "",
			   w->cycle);
	else if (w->verdict == WAIT_OWNER_DEAD)
		buf_puts(b, "  OWNER DEAD");
}

static size_t first_branch(const struct tree *t, uint32_t pid)
{
	size_t low = 0, high = t->g->nobjects;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->branches[middle].first.pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void print_branch(struct tree *t, struct branch *branch, size_t depth);

/* All that a process could release, and who waits for it. */
static void print_held(struct tree *t, uint32_t pid, size_t depth)
{
	if (depth > MOST_DEPTH)
		return;
	for (size_t i = first_branch(t, pid); i < t->g->nobjects && t->branches[i].first.pid == pid; i++)
		if (!t->branches[i].printed)
			print_branch(t, &t->branches[i], depth);
}

static void print_branch(struct tree *t, struct branch *branch, size_t depth)
{
	struct buf *b = out_buf(&t->c->out);

	branch->printed = true;
	buf_fill(b, ' ', 2 * depth);
	escape_into(b, t->g->objects[branch->object].ref);
	if (branch->first.pid)
		buf_printf(b, "  (%s%s)", held_words[branch->first.why],
			   branch->releasers > 1 ? " and others" : "");
	buf_putc(b, '\n');
	for (size_t i = 0; i < branch->count; i++) {
		const struct wait *w = &t->g->waits[t->order[branch->from + i]];

		buf_fill(b, ' ', 2 * depth + 2);
		put_process(t, b, w->pid, w->tid);
		buf_puts(b, ": ");
		put_call(b, w);
		put_verdict(b, w);
		buf_putc(b, '\n');
		out_flush_if_full(&t->c->out);
		print_held(t, w->pid, depth + 2);
	}
}

/* Who could release something, from the margin on. */
static void print_root(struct tree *t, uint32_t pid)
{
	struct buf *b = out_buf(&t->c->out);

	put_process(t, b, pid, 0);
	buf_putc(b, '\n');
	print_held(t, pid, 1);
}

/* First those who wait for nobody; then what is left: circles, and long chains. */
static void print_all(struct tree *t)
{
	for (size_t i = 0; i < t->g->nobjects; i++) {
		struct branch *b = &t->branches[i];

		if (!b->printed && b->first.pid && !wait_graph_waits(t->g, b->first.pid, 0))
			print_root(t, b->first.pid);
	}
	for (size_t i = 0; i < t->g->nobjects; i++) {
		struct branch *b = &t->branches[i];

		if (!b->printed && b->first.pid)
			print_root(t, b->first.pid);
		else if (!b->printed)
			print_branch(t, b, 0);
	}
}

struct sentence {
	struct tree *t;
	struct buf *b;
	size_t count;
};

static int put_releaser(void *data, const struct releaser *r)
{
	static const char *const verbs[] = {
		[RELEASE_OWNER] = " has locked",     [RELEASE_HOLDER] = " holds",
		[RELEASE_LAST] = " changed last",    [RELEASE_OTHER_END] = " holds at its other end",
		[RELEASE_SHARES] = " has open, too",
	};
	struct sentence *s = data;

	if (s->count++ > 2) {
		buf_puts(s->b, ", ...");
		return 1;
	}
	buf_puts(s->b, s->count > 1 ? ", " : ", which ");
	put_process(s->t, s->b, r->pid, r->tid);
	buf_puts(s->b, verbs[r->why]);
	return 0;
}

static void print_wait(struct tree *t, const struct wait *w)
{
	struct buf *b = out_buf(&t->c->out);

	put_process(t, b, w->pid, w->tid);
	buf_puts(b, " waits in ");
	put_call(b, w);
	buf_puts(b, " for ");
	escape_into(b, t->g->objects[w->object].ref);
	put_duration(t, b, w);
}

/* A circle that goes through a kind that was asked for is told whole. */
static void find_asked(const struct wait_graph *g, bool *asked)
{
	for (size_t i = 0; i < g->nwaits; i++)
		if (g->objects[g->waits[i].object].asked)
			asked[g->waits[i].cycle] = true;
}

static int compare_cycles(const void *pa, const void *pb)
{
	const struct wait *const *a = pa, *const *b = pb;

	if ((*a)->cycle != (*b)->cycle)
		return (*a)->cycle < (*b)->cycle ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

/* The waits that never end: the circles, one after the other, then those for a dead owner. */
static void print_circles(struct tree *t, const struct wait **order, size_t n)
{
	struct buf *b = out_buf(&t->c->out);

	for (size_t i = 0; i < n; i++) {
		const struct wait *w = order[i];
		struct sentence s = { t, b, 0 };

		if (i == 0 || order[i - 1]->cycle != w->cycle)
			buf_printf(b, "%sdeadlock %u:\n", w->verdict == WAIT_LIKELY_DEADLOCK ? "likely " : "",
				   w->cycle);
		buf_puts(b, "  ");
		print_wait(t, w);
		wait_each_releaser(t->g, w, put_releaser, &s);
		buf_putc(b, '\n');
		out_flush_if_full(&t->c->out);
	}
}

static void print_dead(struct tree *t)
{
	struct buf *b = out_buf(&t->c->out);

	for (size_t i = 0; i < t->g->nwaits; i++) {
		const struct wait *w = &t->g->waits[i];

		if (w->verdict != WAIT_OWNER_DEAD || !t->g->objects[w->object].asked)
			continue;
		buf_puts(b, "owner dead: ");
		print_wait(t, w);
		buf_puts(b, ", which nobody will unlock\n");
		out_flush_if_full(&t->c->out);
	}
}

static int print_hopeless(struct tree *t)
{
	const struct wait_graph *g = t->g;
	_cleanup_(free_ptr) bool *asked = calloc((size_t)g->ncycles + 1, sizeof(*asked));
	_cleanup_(free_ptr) const struct wait **order = calloc(g->nwaits + 1, sizeof(*order));
	size_t n = 0;

	if (!asked || !order)
		return -ENOMEM;
	find_asked(g, asked);
	for (size_t i = 0; i < g->nwaits; i++)
		if (g->waits[i].cycle && asked[g->waits[i].cycle])
			order[n++] = &g->waits[i];
	qsort(order, n, sizeof(*order), compare_cycles);
	print_circles(t, order, n);
	print_dead(t);
	return 0;
}

int wait_tree_print(const struct wait_graph *g, struct context *c)
{
	struct tree t = { .g = g, .c = c };
	int e = tree_init(&t);

	if (e == 0 && c->options.deadlocks)
		e = print_hopeless(&t);
	else if (e == 0)
		print_all(&t);
	if (e == 0 && t.processes.failed)
		e = -ENOMEM;
	free(t.branches);
	free(t.order);
	processes_free(&t.processes);
	return e;
}
