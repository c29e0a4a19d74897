/* SPDX-License-Identifier: MIT */
/* Which futexes tasks wait for and hold, asked process by process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/parallel.h"
#include "lib/vec.h"
#include "scan/futex_waits.h"
#include "scan/process.h"
#include "scan/scan.h"

/* What is to be asked of one process. */
struct question {
	uint32_t pid;
	size_t first;		     /* its first task among the blocked ones, or where that would stand */
	uint32_t waits;		     /* a thread that waits for what may be a futex, or 0 */
	const struct holder *shares; /* it maps shared memory that it may write to: it may hold what lies
					there; NULL: it does not, or lists are not asked for */
};

/* What one thread has found. */
struct finder {
	struct futex_words words;
	struct arena arena;
	uint32_t *unclear;
	size_t nunclear;
	bool incomplete, lists_incomplete;
	int refused; /* for want of descriptors: -errno, or 0 */
	int error;   /* 0 or -ENOMEM */
	APART;
};

struct search {
	struct snapshot *s;
	struct region_reader reader;
	struct question *questions;
	size_t count;
	struct finder finders[MOST_THREADS];
};

/* Whether any thread of a process may hold robust mutexes: most hold none, which is quicker told than
 * what they have mapped. */
static bool holds_any(const struct snapshot *s, const struct holder *holder)
{
	_cleanup_(memory_close) struct memory memory;
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[24];
	int64_t n;
	bool any = false;

	memory_open(&memory, s->context->proc, holder->pid);
	if (holder->threads == 1)
		return futex_holds_any(s->context->proc, holder->pid, &memory);
	snprintf(path, sizeof(path), "%u/task", holder->pid);
	dir = openat(s->context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(dir, &tids);
	for (int64_t i = 0; !any && i < n; i++)
		any = futex_holds_any(s->context->proc, tids[i], &memory);
	/* Who asks for the lists meets the error again, and says it. */
	return any || n < 0;
}

/* Whether the want is ours, not another's right: -errno. */
static bool is_ours(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

/* Robust lists of all threads of a process. */
static int add_lists(const struct snapshot *s, struct finder *f, const struct regions *regions)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[24];
	int64_t n;
	int r = 0;

	snprintf(path, sizeof(path), "%u/task", regions->pid);
	dir = openat(s->context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(dir, &tids);
	if (n < 0 && n != -ENOENT && n != -ESRCH) {
		f->lists_incomplete = true;
		f->refused = is_ours((int)n) ? (int)n : f->refused;
	}
	for (int64_t i = 0; r == 0 && i < n; i++) {
		r = futex_words_held(&f->words, s->context->proc, tids[i], regions);
		if (r == -EPERM) {
			f->lists_incomplete = true;
			r = 0;
		}
	}
	return n == -ENOMEM ? -ENOMEM : r;
}

static int add_unclear(struct finder *f, uint32_t pid)
{
	if (f->nunclear > 0 && f->unclear[f->nunclear - 1] == pid)
		return 0;
	if (vec_reserve(&f->unclear, f->nunclear, sizeof(*f->unclear)) < 0)
		return -ENOMEM;
	f->unclear[f->nunclear++] = pid;
	return 0;
}

/* Whether what a task is blocked in may be a futex that is shared. */
static bool may_wait(const struct task *task)
{
	switch (task->wait) {
	case WAIT_FUTEX:
		return !futex_wait_is_private(task);
	case WAIT_FUTEX_WAIT:
	case WAIT_FUTEX_WAITV:
	case WAIT_UNKNOWN:
		return true;
	default:
		return false;
	}
}

/* The tasks of one process that wait, from the i-th on up to those of the next process. */
static int add_waits(const struct snapshot *s, struct finder *f, const struct regions *regions, size_t i)
{
	const struct tasks *tasks = &s->tasks;

	for (; i < tasks->count && tasks->items[i].pid == regions->pid; i++) {
		int r = may_wait(&tasks->items[i]) ?
				futex_words_of_task(&f->words, s->context->proc, &tasks->items[i], regions) :
				0;

		if (r == -ENOTSUP)
			r = add_unclear(f, regions->pid);
		if (r < 0)
			return r;
	}
	return 0;
}

/* 0 or -ENOMEM. */
static int answer(const struct search *search, struct finder *f, const struct question *q)
{
	const struct snapshot *s = search->s;
	bool lists = q->shares && holds_any(s, q->shares);
	struct regions regions = { 0 };
	int r;

	if (!q->waits && !lists)
		return 0;
	r = regions_read(&regions, &search->reader, q->pid, q->waits);
	if (r == 0 && regions.error < 0 && regions.error != -ENOENT && regions.error != -ESRCH) {
		f->incomplete = f->lists_incomplete = true;
		f->refused = is_ours(regions.error) ? regions.error : f->refused;
	}
	if (r == 0 && regions.count > 0)
		r = add_waits(s, f, &regions, q->first);
	if (r == 0 && regions.count > 0 && lists)
		r = add_lists(s, f, &regions);
	regions_free(&regions);
	return r;
}

static void ask(void *context, unsigned thread, size_t i)
{
	struct search *search = context;
	struct finder *f = &search->finders[thread];

	f->words.arena = &f->arena;
	if (f->error == 0)
		f->error = answer(search, f, &search->questions[i]);
}

/* The holders that share memory, by their index. */
static void find_sharers(const struct snapshot *s, bool *shares)
{
	const struct holders *h = &s->holders;

	for (size_t i = 0; s->sources & SOURCE_ROBUST && i < h->nholdings; i++) {
		const struct holding *g = holding_at(h, (uint32_t)i);

		if (g->fd < 0 && g->access & ACCESS_WRITE)
			shares[g->holder] = true;
	}
}

/* One for each process that waits or shares memory: goes up the pids of both the holders and the
 * blocked tasks. 0 or -ENOMEM. */
static int make_questions(struct search *search)
{
	const struct holders *h = &search->s->holders;
	const struct tasks *tasks = &search->s->tasks;
	_cleanup_(free_ptr) bool *shares = calloc(h->count + 1, sizeof(*shares));
	size_t i = 0, t = 0;

	search->questions = calloc(h->count + tasks->count + 1, sizeof(*search->questions));
	if (!shares || !search->questions)
		return -ENOMEM;
	find_sharers(search->s, shares);
	while (i < h->count || t < tasks->count) {
		uint32_t holder = i < h->count ? h->items[i].pid : UINT32_MAX;
		uint32_t blocked = t < tasks->count ? tasks->items[t].pid : UINT32_MAX;
		struct question q = { .pid = holder < blocked ? holder : blocked, .first = t };

		if (holder == q.pid && shares[i])
			q.shares = &h->items[i];
		i += holder == q.pid;
		for (; t < tasks->count && tasks->items[t].pid == q.pid; t++)
			if (!q.waits && may_wait(&tasks->items[t]))
				q.waits = tasks->items[t].tid;
		if (q.waits || q.shares)
			search->questions[search->count++] = q;
	}
	return 0;
}

/* Puts together what the threads found. 0 or -ENOMEM. */
static int merge(struct search *search, struct futex_words *words)
{
	struct futexes *f = &search->s->futexes;
	size_t total = 0, unclear = 0;

	for (size_t t = 0; t < MOST_THREADS; t++) {
		if (search->finders[t].error < 0)
			return -ENOMEM;
		total += search->finders[t].words.count;
		unclear += search->finders[t].nunclear;
	}
	words->items = calloc(total + 1, sizeof(*words->items));
	f->unclear = calloc(unclear + 1, sizeof(*f->unclear));
	f->arenas = calloc(MOST_THREADS, sizeof(*f->arenas));
	if (!words->items || !f->unclear || !f->arenas)
		return -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++) {
		struct finder *from = &search->finders[t];

		for (size_t i = 0; i < from->words.count; i++)
			words->items[words->count++] = from->words.items[i];
		for (size_t i = 0; i < from->nunclear; i++)
			f->unclear[f->nunclear++] = from->unclear[i];
		f->complete &= !from->incomplete;
		f->lists_complete &= !from->lists_incomplete;
		if (from->refused)
			f->error = from->refused;
		f->arenas[t] = from->arena;
		from->arena = (struct arena){ 0 };
	}
	qsort(f->unclear, f->nunclear, sizeof(*f->unclear), by_u32);
	return 0;
}

int futex_words_gather(struct snapshot *s, unsigned threads, struct futex_words *words)
{
	struct search *search = calloc(1, sizeof(*search));
	int r;

	if (!search)
		return -ENOMEM;
	search->s = s;
	region_reader_init(&search->reader, s);
	r = make_questions(search);
	if (r == 0) {
		parallel_run(&(struct parallel_work){ ask, search, search->count }, threads);
		r = merge(search, words);
	}
	for (size_t t = 0; t < MOST_THREADS; t++) {
		free(search->finders[t].words.items);
		free(search->finders[t].unclear);
		arena_free(&search->finders[t].arena);
	}
	free(search->questions);
	free(search);
	return r;
}
