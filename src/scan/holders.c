/* SPDX-License-Identifier: MIT */
#include "scan/holders.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/parallel.h"
#include "lib/parse.h"
#include "scan/process.h"
#include "scan/walk.h"

/* Inode numbers of the first namespaces (PROC_PID_INIT_INO in include/linux/proc_ns.h). */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

struct walk {
	struct internal_devices devices;
	char ipc_namespace[64];
	struct walker walkers[MOST_THREADS];
	uint32_t *pids;
};

static void visit(void *context, unsigned thread, size_t item)
{
	struct walk *walk = context;

	walk_process(&walk->walkers[thread], walk->pids[item]);
}

static uint64_t key_digest(const struct object_key *key)
{
	return (key->ino * 0x9e3779b97f4a7c15u) ^ (key->dev << 8) ^ (uint64_t)key->class;
}

static bool same_object(const struct object_key *a, const struct object_key *b)
{
	return a->class == b->class && a->dev == b->dev && a->ino == b->ino;
}

/* The slot of an object, or NULL. */
static const struct hash_slot *find_slot(const struct holders *h, const struct object_key *key)
{
	const struct hash_slot *slot = NULL;
	uint64_t digest = key_digest(key);

	while ((slot = hash_find(&h->index, digest, slot)) != NULL)
		if (same_object(&h->holdings[slot->value].key, key))
			return slot;
	return NULL;
}

const struct holding *holders_find(const struct holders *h, const struct object_key *key)
{
	const struct hash_slot *slot = find_slot(h, key);

	return slot ? &h->holdings[slot->value] : NULL;
}

/* Chains each holding behind the first one of its object; the order of a chain is that of pids. */
static int build_index(struct holders *h)
{
	for (size_t i = h->nholdings; i-- > 0;) {
		struct hash_slot *slot = (struct hash_slot *)(uintptr_t)find_slot(h, &h->holdings[i].key);

		if (slot) {
			h->holdings[i].next = slot->value;
			slot->value = (uint32_t)i;
		} else if (hash_add(&h->index, key_digest(&h->holdings[i].key), (uint32_t)i) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int compare_holdings(const void *pa, const void *pb, void *data)
{
	const struct holding *a = pa, *b = pb;
	const struct holders *h = data;
	uint32_t pa_pid = h->items[a->holder].pid, pb_pid = h->items[b->holder].pid;

	if (pa_pid != pb_pid)
		return pa_pid < pb_pid ? -1 : 1;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->fd != b->fd)
		return (unsigned)a->fd < (unsigned)b->fd ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

/* A descriptor that a thread shares may have been seen twice. */
static void drop_twins(struct holders *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->nholdings; i++) {
		const struct holding *a = &h->holdings[i], *b = kept ? &h->holdings[kept - 1] : NULL;

		if (b && a->holder == b->holder && a->tid == b->tid && a->fd == b->fd &&
		    a->start == b->start && same_object(&a->key, &b->key))
			continue;
		h->holdings[kept++] = *a;
	}
	h->nholdings = kept;
}

static int compare_nameless(const void *pa, const void *pb)
{
	const struct object_key *a = &((const struct nameless *)pa)->key;
	const struct object_key *b = &((const struct nameless *)pb)->key;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->ino > b->ino) - (a->ino < b->ino);
}

/* Each holder of a nameless object has reported it. */
static void drop_repeated(struct holders *h)
{
	size_t kept = 0;

	qsort(h->nameless, h->nnameless, sizeof(*h->nameless), compare_nameless);
	for (size_t i = 0; i < h->nnameless; i++)
		if (kept == 0 || !same_object(&h->nameless[kept - 1].key, &h->nameless[i].key))
			h->nameless[kept++] = h->nameless[i];
		else if (!h->nameless[kept - 1].described)
			h->nameless[kept - 1] = h->nameless[i];
	h->nnameless = kept;
}

/* Puts together what the threads found. */
static int merge(struct holders *h, struct walk *walk)
{
	size_t holders = 0, holdings = 0, nameless = 0;

	for (size_t t = 0; t < MOST_THREADS; t++) {
		holders += walk->walkers[t].count;
		holdings += walk->walkers[t].nholdings;
		nameless += walk->walkers[t].nnameless;
	}
	h->items = calloc(holders + 1, sizeof(*h->items));
	h->holdings = calloc(holdings + 1, sizeof(*h->holdings));
	h->nameless = calloc(nameless + 1, sizeof(*h->nameless));
	if (!h->items || !h->holdings || !h->nameless)
		return -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++) {
		const struct walker *w = &walk->walkers[t];

		for (size_t i = 0; i < w->nholdings; i++) {
			h->holdings[h->nholdings] = w->holdings[i];
			h->holdings[h->nholdings++].holder += (uint32_t)h->count;
		}
		for (size_t i = 0; i < w->count; i++) {
			h->items[h->count] = w->items[i];
			h->items[h->count++].command = arena_span(&h->arena, w->items[i].command);
		}
		for (size_t i = 0; i < w->nnameless; i++) {
			h->nameless[h->nnameless] = w->nameless[i];
			h->nameless[h->nnameless++].path = arena_span(&h->arena, w->nameless[i].path);
		}
		h->unreadable += w->unreadable;
	}
	drop_repeated(h);
	qsort_r(h->holdings, h->nholdings, sizeof(*h->holdings), compare_holdings, h);
	drop_twins(h);
	return build_index(h);
}

/*
 * Whether processes may exist that this /proc does not show: it is that of a
 * PID namespace inside another, or it shows fewer threads than the kernel counts
 * (hidepid). Some may have come or gone since they were counted.
 */
static bool is_partial(int proc, uint64_t seen)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	char link[sizeof(INITIAL_PID_NAMESPACE) + 8];
	ssize_t n = readlinkat(proc, "self/ns/pid", link, sizeof(link));
	struct span rest, word;
	const char *slash;
	uint64_t all;

	if (n < 0 || !span_is((struct span){ link, (size_t)n }, INITIAL_PID_NAMESPACE))
		return true;
	/* "0.00 0.01 0.05 1/123 4567": of all threads of the kernel one runs. */
	if (read_file_at(proc, "loadavg", &text) < 0)
		return true;
	rest = buf_span(&text);
	for (int i = 0; i < 4; i++)
		if (!next_word(&rest, &word))
			return true;
	slash = memchr(word.ptr, '/', word.len);
	if (!slash || parse_u64(span_from(word, (size_t)(slash - word.ptr) + 1), &all) < 0)
		return true;
	return all > seen + 16 + all / 32;
}

static void prepare(struct walk *walk, int proc, const struct holders_request *request)
{
	/* Our own, not that of another /proc's "self". */
	ssize_t n = readlink("/proc/self/ns/ipc", walk->ipc_namespace, sizeof(walk->ipc_namespace) - 1);

	int64_t boot = boot_time();

	walk->ipc_namespace[n > 0 ? n : 0] = '\0';
	if (request->sysv)
		internal_devices_read(&walk->devices);
	for (size_t t = 0; t < MOST_THREADS; t++) {
		walk->walkers[t].request = request;
		walk->walkers[t].proc = proc;
		walk->walkers[t].boot = boot;
		walk->walkers[t].devices = &walk->devices;
		walk->walkers[t].ipc_namespace = walk->ipc_namespace;
	}
}

static void warn(const struct holders *h, struct warnings *warnings)
{
	if (h->unreadable)
		warnings_add(warnings,
			     &(struct warning){
				     .subject = "/proc",
				     .error = EACCES,
				     .text = "process(es) could not be read; what they hold is not shown",
				     .count = h->unreadable });
	if (h->hidden)
		warnings_add(
			warnings,
			&(struct warning){
				.subject = "/proc",
				.error = EACCES,
				.text = "there may be holders among processes that are not shown here" });
}

int holders_walk(struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings)
{
	_cleanup_(close_fd) int dir = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk *walk = calloc(1, sizeof(*walk));
	unsigned threads = request->threads ? request->threads : processor_count();
	uint64_t seen = 0;
	int64_t n = dir < 0 ? -errno : 0;
	int r = walk ? 0 : -ENOMEM;

	if (walk)
		prepare(walk, proc, request);
	if (r == 0 && n == 0)
		n = read_numbers(dir, &walk->pids);
	if (r == 0 && n < 0)
		r = (int)n;
	if (r == 0)
		parallel_run(&(struct parallel_work){ visit, walk, (size_t)n }, threads);
	for (size_t t = 0; walk && t < MOST_THREADS; t++) {
		seen += walk->walkers[t].threads;
		if (r == 0)
			r = walk->walkers[t].error;
	}
	if (r == 0)
		r = merge(h, walk);
	h->hidden = r == 0 && is_partial(proc, seen);
	h->walked = r == 0;
	for (size_t t = 0; walk && t < MOST_THREADS; t++)
		walker_free(&walk->walkers[t]);
	if (walk)
		free(walk->pids);
	free(walk);
	if (r == 0)
		warn(h, warnings);
	return r;
}

void holders_free(struct holders *h)
{
	free(h->items);
	free(h->holdings);
	free(h->nameless);
	hash_free(&h->index);
	arena_free(&h->arena);
	*h = (struct holders){ 0 };
}
