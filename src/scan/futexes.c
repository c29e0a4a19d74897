/* SPDX-License-Identifier: MIT */
#include "scan/futexes.h"

#include <errno.h>

#include "lib/parallel.h"
#include "lib/vec.h"
#include "scan/futex_owner.h"
#include "scan/futex_window.h"
#include "scan/proclink.h"
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
	struct futex_words words = { 0 };
	int r;

	*f = (struct futexes){ .looked = true };
	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!s->context->own_proc || !s->context->own_pids)
		return 0;
	f->complete = s->tasks.complete;
	f->lists_complete = true;
	r = mounts_read(&f->mounts);
	r = r == -ENOMEM ? r : futex_words_gather(s, threads, &words);
	if (words.count > 0)
		qsort(words.items, words.count, sizeof(*words.items), compare_words);
	for (size_t i = 0, n; r == 0 && i < words.count; i += n) {
		for (n = 1; i + n < words.count && same_word(&words.items[i], &words.items[i + n]);)
			n++;
		r = add_word(s, &words.items[i], n);
	}
	free(words.items);
	f->nordered = f->count;
	return r < 0 ? r : find_owners(s);
}

const struct futex *futexes_of(const struct futexes *f, const struct memory_object *object, size_t *count)
{
	size_t low = 0, high = f->nordered, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_objects(&f->items[middle].object, object) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < f->nordered && memory_object_same(&f->items[end].object, object);)
		end++;
	*count = end - low;
	return &f->items[low];
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
	for (size_t t = 0; f->arenas && t < MOST_THREADS; t++)
		arena_free(&f->arenas[t]);
	free(f->arenas);
	arena_free(&f->arena);
	mounts_free(&f->mounts);
	*f = (struct futexes){ 0 };
}
