/* SPDX-License-Identifier: MIT */
#include "scan/futexes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/parallel.h"
#include "lib/vec.h"
#include "scan/futex_owner.h"
#include "scan/futex_window.h"
#include "scan/process.h"
#include "scan/scan.h"

void region_reader_init(struct region_reader *reader, const struct snapshot *s)
{
	*reader = (struct region_reader){
		.proc = s->context->proc,
		.devices = &s->holders.devices,
		.shm_dev = s->shm.root >= 0 ? s->shm.dev : 0,
		.mounts = &s->futexes.mounts,
		.ipc_namespace = namespace_number(s->context->proc, "self/ns/ipc"),
	};
}

/* Processes that map shared memory which they may write to, by their index: they may hold what lies there.
 * None where their lists are not asked for. */
struct sharers {
	const struct snapshot *s;
	bool *items;
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
	n = dir < 0 ? 0 : read_numbers(dir, &tids);
	for (int64_t i = 0; !any && i < n; i++)
		any = futex_holds_any(s->context->proc, tids[i], &memory);
	return any || n == -ENOMEM;
}

static void ask_sharer(void *context, unsigned thread _unused_, size_t i)
{
	struct sharers *sharers = context;

	if (sharers->items[i])
		sharers->items[i] = holds_any(sharers->s, &sharers->s->holders.items[i]);
}

static int find_sharers(struct snapshot *s, unsigned threads, bool **shares)
{
	const struct holders *h = &s->holders;

	*shares = calloc(h->count + 1, sizeof(**shares));
	if (!*shares)
		return -ENOMEM;
	if (!(s->sources & SOURCE_ROBUST))
		return 0;
	for (size_t i = 0; i < h->nholdings; i++) {
		const struct holding *g = holding_at(h, (uint32_t)i);

		if (g->fd < 0 && g->access & ACCESS_WRITE)
			(*shares)[g->holder] = true;
	}
	parallel_run(&(struct parallel_work){ ask_sharer, &(struct sharers){ s, *shares }, h->count },
		     threads);
	return 0;
}

/* Robust lists of all threads of a process. */
static int add_lists(struct snapshot *s, struct futex_words *words, const struct regions *regions)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[24];
	int64_t n;
	int r = 0;

	snprintf(path, sizeof(path), "%u/task", regions->pid);
	dir = openat(s->context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = dir < 0 ? 0 : read_numbers(dir, &tids);
	for (int64_t i = 0; r == 0 && i < n; i++) {
		r = futex_words_held(words, s->context->proc, tids[i], regions);
		if (r == -EPERM) {
			s->futexes.lists_complete = false;
			r = 0;
		}
	}
	return n == -ENOMEM ? -ENOMEM : r;
}

static int add_unclear(struct futexes *f, uint32_t pid)
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
static int add_waits(struct snapshot *s, struct futex_words *words, const struct regions *regions, size_t i)
{
	const struct tasks *tasks = &s->tasks;

	for (; i < tasks->count && tasks->items[i].pid == regions->pid; i++) {
		int r = may_wait(&tasks->items[i]) ?
				futex_words_of_task(words, s->context->proc, &tasks->items[i], regions) :
				0;

		if (r == -ENOTSUP)
			r = add_unclear(&s->futexes, regions->pid);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The first task of a process that waits, from the i-th task on: a thread that shows its memory. */
static uint32_t first_waiter(const struct tasks *tasks, size_t i, uint32_t pid)
{
	for (; i < tasks->count && tasks->items[i].pid == pid; i++)
		if (may_wait(&tasks->items[i]))
			return tasks->items[i].tid;
	return 0;
}

/* One process: `first` is its first task among the blocked ones. */
static int add_process(struct snapshot *s, struct futex_words *words, uint32_t pid, size_t first, bool shares)
{
	uint32_t tid = first_waiter(&s->tasks, first, pid);
	struct region_reader reader;
	struct regions regions = { 0 };
	int r;

	if (!tid && !shares)
		return 0;
	region_reader_init(&reader, s);
	r = regions_read(&regions, &reader, pid, tid);
	if (r == 0 && regions.error < 0 && regions.error != -ENOENT && regions.error != -ESRCH)
		s->futexes.complete = s->futexes.lists_complete = false;
	if (r == 0 && regions.count > 0)
		r = add_waits(s, words, &regions, first);
	if (r == 0 && regions.count > 0 && shares)
		r = add_lists(s, words, &regions);
	regions_free(&regions);
	return r;
}

/* Goes up the pids of both the holders and the blocked tasks. */
static int add_processes(struct snapshot *s, unsigned threads, struct futex_words *words)
{
	const struct holders *h = &s->holders;
	const struct tasks *tasks = &s->tasks;
	_cleanup_(free_ptr) bool *shares = NULL;
	size_t i = 0, t = 0;
	int r = find_sharers(s, threads, &shares);

	while (r == 0 && (i < h->count || t < tasks->count)) {
		uint32_t holder = i < h->count ? h->items[i].pid : UINT32_MAX;
		uint32_t blocked = t < tasks->count ? tasks->items[t].pid : UINT32_MAX;
		uint32_t pid = holder < blocked ? holder : blocked;

		r = add_process(s, words, pid, t, holder == pid && shares[i]);
		i += holder == pid;
		while (t < tasks->count && tasks->items[t].pid == pid)
			t++;
	}
	return r;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_objects(const struct memory_object *a, const struct memory_object *b)
{
	int c = compare_u64(a->key.class, b->key.class);

	c = c ? c : compare_u64(a->key.dev, b->key.dev);
	c = c ? c : compare_u64(a->key.ino, b->key.ino);
	return c ? c : compare_u64(a->space, b->space);
}

static int compare_words(const void *pa, const void *pb)
{
	const struct futex_word *a = pa, *b = pb;
	int c = compare_objects(&a->object, &b->object);

	c = c ? c : compare_u64(a->offset, b->offset);
	c = c ? c : compare_u64(a->waiter.pid, b->waiter.pid);
	c = c ? c : compare_u64(a->waiter.tid, b->waiter.tid);
	return c ? c : compare_u64(a->waiter.operation, b->waiter.operation);
}

static bool same_word(const struct futex_word *a, const struct futex_word *b)
{
	return memory_object_same(&a->object, &b->object) && a->offset == b->offset;
}

/* Notes the tasks of a word with the object that was made of it. */
static int add_tasks(struct snapshot *s, struct futex *futex, const struct futex_word *words, size_t n)
{
	struct futexes *f = &s->futexes;

	for (size_t i = 0; i < n; i++) {
		const struct futex_waiter *w = &words[i].waiter;

		if (w->operation == FUTEX_OP_HELD) {
			/* Anybody may write such an entry into the memory: the lock must name the task, too.
			 */
			if (futex->decoded.owner &&
			    task_inner_number(s->context, w->pid, w->tid) == futex->decoded.owner) {
				futex->holder_pid = w->pid;
				futex->holder_tid = w->tid;
			}
			continue;
		}
		if (vec_reserve(&f->waiters, f->nwaiters, sizeof(*f->waiters)) < 0)
			return -ENOMEM;
		f->waiters[f->nwaiters++] = *w;
		futex->nwaiters++;
	}
	return 0;
}

int futex_find_entry(struct snapshot *s, struct futex *futex)
{
	const struct object_key *key = &futex->object.key;
	struct shmtree *t = &s->shm;

	futex->entry = -ENOENT;
	if (key->class != OBJECT_FILE || !(s->sources & SOURCE_SHMTREE))
		return 0;
	futex->entry = shmtree_find_inode(t, key->ino);
	/* Those without a name are few, if any. */
	for (size_t i = 0; futex->entry == -ENOENT && i < t->count; i++)
		if (t->items[i].deleted && t->items[i].dev == key->dev && t->items[i].ino == key->ino)
			futex->entry = (int64_t)i;
	return futex->entry == -ENOMEM ? -ENOMEM : 0;
}

/* All tasks of one word: an object, or another word of the one before. */
static int add_word(struct snapshot *s, const struct futex_word *words, size_t n)
{
	struct futexes *f = &s->futexes;
	struct futex futex = { .first = f->nwaiters }, *last = f->count ? &f->items[f->count - 1] : NULL;

	futex_read_words(s->context->proc, words, n, &futex);
	/* A lock has two words that tasks wait for, and so has a condition variable. */
	if (last && last->decoded.type != FUTEX_UNKNOWN && last->decoded.type == futex.decoded.type &&
	    last->offset == futex.offset && memory_object_same(&last->object, &futex.object))
		return add_tasks(s, last, words, n);
	if (futex.decoded.type == FUTEX_UNKNOWN && words[n - 1].waiter.operation == FUTEX_OP_HELD &&
	    words[0].waiter.operation == FUTEX_OP_HELD)
		return 0; /* an entry of a list that leads to no mutex */
	if (futex_find_entry(s, &futex) < 0 || vec_reserve(&f->items, f->count, sizeof(futex)) < 0)
		return -ENOMEM;
	f->items[f->count++] = futex;
	return add_tasks(s, &f->items[f->count - 1], words, n);
}

/* What takes a look at all who have the memory mapped is found once for all that lies in it. */
static int find_owners(struct snapshot *s)
{
	struct futexes *f = &s->futexes;
	int r = 0;

	for (size_t i = 0, n; r == 0 && i < f->count; i += n) {
		struct futex *first = &f->items[i];
		bool unclear = futex_waits_unclear(s, &first->object);

		for (n = 1; i + n < f->count && memory_object_same(&first->object, &first[n].object);)
			n++;
		for (size_t k = 0; k < n; k++)
			first[k].unclear = unclear;
		r = futex_owners_find(s, first, n);
	}
	return r;
}

int futexes_find(struct snapshot *s, unsigned threads)
{
	struct futexes *f = &s->futexes;
	struct futex_words words = { .arena = &f->arena };
	int r;

	*f = (struct futexes){ .looked = true };
	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!s->context->own_proc || !s->context->own_pids)
		return 0;
	f->complete = s->tasks.complete;
	f->lists_complete = true;
	r = mounts_read(&f->mounts);
	r = r == -ENOMEM ? r : add_processes(s, threads, &words);
	if (words.count > 0)
		qsort(words.items, words.count, sizeof(*words.items), compare_words);
	for (size_t i = 0, n; r == 0 && i < words.count; i += n) {
		for (n = 1; i + n < words.count && same_word(&words.items[i], &words.items[i + n]);)
			n++;
		r = add_word(s, &words.items[i], n);
	}
	free(words.items);
	return r < 0 ? r : find_owners(s);
}

bool futexes_unclear(const struct futexes *f, uint32_t pid)
{
	size_t low = 0, high = f->nunclear;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->unclear[middle] == pid)
			return true;
		if (f->unclear[middle] < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

void futexes_free(struct futexes *f)
{
	free(f->items);
	free(f->waiters);
	free(f->unclear);
	arena_free(&f->arena);
	mounts_free(&f->mounts);
	*f = (struct futexes){ 0 };
}
