/* SPDX-License-Identifier: MIT */
#include "scan/futex_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/process.h"
#include "scan/proclink.h"
#include "scan/scan.h"

/* The last number of "NSpid:\t4711\t12\t1": those of the namespaces from ours inwards. */
static uint32_t last_number(struct span line)
{
	uint64_t number = 0;
	struct span word;

	while (next_word(&line, &word))
		if (parse_u64_in(word, 0, INT32_MAX, &number) < 0)
			return 0;
	return (uint32_t)number;
}

uint32_t task_inner_number(const struct scan_context *context, uint32_t pid, uint32_t tid)
{
	const struct span key = SPAN("NSpid:");
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, line;
	char path[48];

	snprintf(path, sizeof(path), "%u/task/%u/status", pid, tid);
	if (read_file_at(context->proc, path, &text) < 0)
		return 0;
	rest = buf_span(&text);
	while (next_line(&rest, &line))
		if (span_starts(line, key.ptr))
			return last_number(span_from(line, key.len));
	return 0;
}

/* One that has ended owns nothing any more, though its number may still be there: a leader's
 * stays until its threads are gone. 1, 0, or -errno: nobody can tell. */
static int is_alive(const struct scan_context *context, uint32_t pid, uint32_t tid)
{
	char state;
	int r = task_state(context, pid, tid, &state);

	return r == -ENOENT ? 0 : r < 0 ? r : state != 'Z' && state != 'X';
}

const struct holding *memory_object_holding(const struct snapshot *s, const struct memory_object *object)
{
	return object->space ? NULL : holders_find(&s->holders, &object->key);
}

/* A task that has the memory mapped, by its number in its own PID namespace. */
struct candidate {
	uint32_t number;
	uint32_t pid, tid;
};

struct candidates {
	struct candidate *items;
	size_t count;
	bool whole; /* no process in sight is missing */
	int error;  /* why one is: -errno, or 0 */
};

static int add(struct candidates *c, uint32_t number, uint32_t pid, uint32_t tid)
{
	if (vec_reserve(&c->items, c->count, sizeof(*c->items)) < 0)
		return -ENOMEM;
	c->items[c->count++] = (struct candidate){ number, pid, tid };
	return 0;
}

/* Numbers that somebody is looked for by, ascending, each once. */
struct wanted {
	uint32_t *items;
	size_t count;
};

/* Those of the wanted numbers that tasks of a process have, as /proc shows them. 0 or -errno. */
static int add_wanted(struct candidates *c, int dir, uint32_t pid, const struct wanted *wanted)
{
	struct stat st;
	char name[12];

	for (size_t i = 0; i < wanted->count; i++) {
		snprintf(name, sizeof(name), "%u", wanted->items[i]);
		if (fstatat(dir, name, &st, 0) == 0) {
			if (add(c, wanted->items[i], pid, wanted->items[i]) < 0)
				return -ENOMEM;
		} else if (errno != ENOENT && errno != ESRCH) {
			return -errno;
		}
	}
	return 0;
}

/* The tasks of a process that matter; `ours`: our PID namespace, in which numbers are what /proc shows. */
static int add_process(struct candidates *c, const struct scan_context *context, const struct holder *holder,
		       uint64_t ours, const struct wanted *wanted)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	uint32_t pid = holder->pid;
	char path[24];
	int64_t n;
	bool same;
	int r = 0;

	snprintf(path, sizeof(path), "%u/ns/pid", pid);
	same = ours && namespace_number(context->proc, path) == ours;
	snprintf(path, sizeof(path), "%u/task", pid);
	dir = openat(context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* To ask for a few is quicker than to have all told. */
	if (dir >= 0 && same && wanted->count < holder->threads)
		n = add_wanted(c, dir, pid, wanted);
	else
		n = read_numbers(dir, &tids);
	if (n < 0 && n != -ENOENT && n != -ESRCH) {
		c->whole = false;
		c->error = (int)n;
	}
	for (int64_t i = 0; tids && r == 0 && i < n; i++)
		r = add(c, same ? tids[i] : task_inner_number(context, pid, tids[i]), pid, tids[i]);
	return n == -ENOMEM ? -ENOMEM : r;
}

static int compare_candidates(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;

	return (a->number > b->number) - (a->number < b->number);
}

/* All tasks of those who have the memory mapped, by number. */
static int find_candidates(struct candidates *c, const struct snapshot *s, const struct memory_object *object,
			   const struct wanted *wanted)
{
	const struct holders *h = &s->holders;
	uint64_t ours = namespace_number(s->context->proc, "self/ns/pid");
	uint32_t last = NO_HOLDING;
	int r = 0;

	c->whole = h->walked && !h->unreadable && !h->hidden && object->space == 0;
	for (const struct holding *g = memory_object_holding(s, object); g && r == 0;
	     g = holding_next(h, g)) {
		/* The holdings of one process stand together. */
		if (g->fd < 0 && g->holder != last) {
			r = add_process(c, s->context, holding_holder(h, g), ours, wanted);
			last = g->holder;
		}
	}
	if (c->count > 0)
		qsort(c->items, c->count, sizeof(*c->items), compare_candidates);
	return r;
}

/* The first candidate of that number, or the one behind all smaller ones. */
static size_t find_number(const struct candidates *c, uint32_t number)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void choose(struct futex *futex, const struct scan_context *context, const struct candidates *c)
{
	struct futex_owner *owner = &futex->owner;
	uint32_t number = futex->decoded.owner;
	unsigned found = 0;
	int error = c->error;

	if (number == 0)
		return;
	if (futex->holder_pid) {
		/* It said so to the kernel, too. */
		*owner = (struct futex_owner){ OWNER_ALIVE, futex->holder_pid, futex->holder_tid, 0 };
		return;
	}
	for (size_t i = find_number(c, number); i < c->count && c->items[i].number == number; i++) {
		int alive = is_alive(context, c->items[i].pid, c->items[i].tid);

		if (alive < 0)
			error = alive;
		if (alive > 0) {
			*owner = (struct futex_owner){ OWNER_ALIVE, c->items[i].pid, c->items[i].tid, 0 };
			found++;
		}
	}
	if (found > 1 || (found == 0 && (!c->whole || error)))
		*owner = (struct futex_owner){ .state = OWNER_UNKNOWN, .error = error };
	else if (found == 0)
		owner->state = OWNER_DEAD;
}

/* The numbers in those whose owner is not known otherwise. 0 or -ENOMEM. */
static int find_wanted(struct wanted *wanted, const struct futex *futexes, size_t n)
{
	size_t all = 0;

	wanted->items = calloc(n + 1, sizeof(*wanted->items));
	if (!wanted->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (futexes[i].decoded.owner && !futexes[i].holder_pid)
			wanted->items[all++] = futexes[i].decoded.owner;
	qsort(wanted->items, all, sizeof(*wanted->items), by_u32);
	for (size_t i = 0; i < all; i++)
		if (i == 0 || wanted->items[i] != wanted->items[i - 1])
			wanted->items[wanted->count++] = wanted->items[i];
	return 0;
}

int futex_owners_find(const struct snapshot *s, struct futex *futexes, size_t n)
{
	struct candidates c = { 0 };
	struct wanted wanted = { 0 };
	int r = find_wanted(&wanted, futexes, n);

	if (r == 0 && wanted.count > 0)
		r = find_candidates(&c, s, &futexes[0].object, &wanted);
	for (size_t i = 0; r == 0 && i < n; i++)
		choose(&futexes[i], s->context, &c);
	free(c.items);
	free(wanted.items);
	return r;
}

bool futex_waits_unclear(const struct snapshot *s, const struct memory_object *object)
{
	const struct holders *h = &s->holders;

	for (const struct holding *g = memory_object_holding(s, object); g && s->futexes.nunclear > 0;
	     g = holding_next(h, g))
		if (g->fd < 0 && futexes_unclear(&s->futexes, holding_holder(h, g)->pid))
			return true;
	return false;
}
