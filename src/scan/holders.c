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

/* Where the holdings of one process stand: what one thread found at one go. */
struct slice {
	unsigned thread;
	size_t first, count;
};

struct walk {
	struct internal_devices devices;
	char ipc_namespace[64];
	struct walker walkers[MOST_THREADS];
	struct holder *processes; /* in the order of /proc, that of pids */
	struct slice *slices;
	size_t count;
};

static void visit(void *context, unsigned thread, size_t item)
{
	struct walk *walk = context;
	struct walker *w = &walk->walkers[thread];
	size_t before = w->nholdings;

	walk_process(w, &walk->processes[item], (uint32_t)item);
	walk->slices[item] = (struct slice){ thread, before, w->nholdings - before };
}

struct object_key holding_key(const struct holding *g)
{
	return (struct object_key){ g->class, device_unpack(g->dev), g->ino };
}

static bool same_key(const struct holding *a, const struct holding *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->class == b->class;
}

/* The slot of an object, or NULL. */
static struct hash_slot *find_slot(const struct holders *h, uint64_t digest, const struct holding *g)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&h->index, digest, slot)) != NULL)
		if (same_key(&h->holdings[slot->value], g))
			break;
	return (struct hash_slot *)(uintptr_t)slot;
}

static uint64_t digest_of(const struct holding *g)
{
	struct object_key key = holding_key(g);

	return object_digest(&key);
}

const struct holding *holders_find(const struct holders *h, const struct object_key *key)
{
	struct holding g = { .ino = key->ino, .dev = device_pack(key->dev), .class = (uint8_t)key->class };
	const struct hash_slot *slot = find_slot(h, object_digest(key), &g);

	return slot ? &h->holdings[slot->value] : NULL;
}

const struct found_file *holders_file(const struct holders *h, const struct object_key *key)
{
	return found_file_find(h->files, &h->file_index, key);
}

/* Chains each holding before the next one of its object, from the last to the first, so
 * that the order of a chain is that of pids. */
static int build_index(struct holders *h)
{
	const size_t ahead = 16; /* memory is slow, and the next ones are known */

	if (hash_reserve(&h->index, h->nholdings / 2) < 0)
		return -ENOMEM;
	for (size_t i = h->nholdings; i-- > 0;) {
		struct holding *g = &h->holdings[i];
		uint64_t digest = digest_of(g);
		struct hash_slot *slot = find_slot(h, digest, g);

		if (i >= ahead)
			hash_prefetch(&h->index, digest_of(&h->holdings[i - ahead]));
		g->first = true;
		if (slot) {
			g->next = slot->value;
			h->holdings[slot->value].first = false;
			slot->value = (uint32_t)i;
		} else if (hash_add(&h->index, digest, (uint32_t)i) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* The objects of each class, in the order in which they were met. */
static int list_objects(struct holders *h)
{
	size_t counts[OBJECT_CLASSES] = { 0 };

	for (size_t i = 0; i < h->nholdings; i++)
		counts[h->holdings[i].class] += h->holdings[i].first;
	for (size_t c = 0; c < OBJECT_CLASSES; c++) {
		h->objects[c].first = calloc(counts[c] + 1, sizeof(*h->objects[c].first));
		if (!h->objects[c].first)
			return -ENOMEM;
	}
	for (size_t i = 0; i < h->nholdings; i++) {
		struct object_list *list = &h->objects[h->holdings[i].class];

		if (h->holdings[i].first)
			list->first[list->count++] = (uint32_t)i;
	}
	return 0;
}

/* Puts ranges behind each other; *bases says where those of each thread begin. */
static int merge_ranges(struct holders *h, struct walk *walk, size_t bases[MOST_THREADS])
{
	size_t total = 0;

	for (size_t t = 0; t < MOST_THREADS; t++) {
		bases[t] = total;
		total += walk->walkers[t].nranges;
	}
	if (total > INT32_MAX)
		return -ENOMEM;
	h->ranges = calloc(total + 1, sizeof(*h->ranges));
	if (!h->ranges)
		return -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++) {
		struct walker *w = &walk->walkers[t];

		if (w->nranges)
			memcpy(h->ranges + bases[t], w->ranges, w->nranges * sizeof(*w->ranges));
		free(w->ranges);
		w->ranges = NULL;
	}
	return 0;
}

/* Puts the holdings into the order of processes, and drops processes that hold nothing. */
static int merge_holdings(struct holders *h, struct walk *walk)
{
	size_t bases[MOST_THREADS], total = 0;

	for (size_t t = 0; t < MOST_THREADS; t++)
		total += walk->walkers[t].nholdings;
	if (total >= NO_HOLDING || merge_ranges(h, walk, bases) < 0)
		return -ENOMEM;
	h->holdings = reallocarray(NULL, total + 1, sizeof(*h->holdings));
	if (!h->holdings)
		return -ENOMEM;
	for (size_t p = 0; p < walk->count; p++) {
		const struct slice *s = &walk->slices[p];
		const struct holding *from = walk->walkers[s->thread].holdings + s->first;

		for (size_t i = 0; i < s->count; i++) {
			struct holding *g = &h->holdings[h->nholdings++];

			*g = from[i];
			g->holder = (uint32_t)h->count;
			if (g->fd < 0)
				g->fd -= (int32_t)bases[s->thread];
		}
		if (s->count > 0)
			walk->processes[h->count++] = walk->processes[p];
	}
	h->items = walk->processes;
	walk->processes = NULL;
	return 0;
}

/* Puts together what the threads found. */
static int merge(struct holders *h, struct walk *walk)
{
	int r = merge_holdings(h, walk);

	h->arenas = calloc(MOST_THREADS, sizeof(*h->arenas));
	if (!h->arenas)
		r = -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++) {
		struct walker *w = &walk->walkers[t];

		for (size_t i = 0; r == 0 && i < w->nfiles; i++)
			r = found_file_add(&h->files, &h->nfiles, &h->file_index, &w->files[i]);
		h->unreadable += w->unreadable;
		h->unidentified += w->unidentified;
		if (h->arenas) {
			h->arenas[t] = w->arena;
			w->arena = (struct arena){ 0 };
		}
		walker_free(w);
		*w = (struct walker){ 0 };
	}
	if (r == 0)
		r = build_index(h);
	return r < 0 ? r : list_objects(h);
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
	internal_devices_read(&walk->devices);
	for (size_t t = 0; t < MOST_THREADS; t++)
		walk->walkers[t] = (struct walker){
			.request = request,
			.proc = proc,
			.boot = boot,
			.devices = &walk->devices,
			.ipc_namespace = walk->ipc_namespace,
		};
}

static int compare_pids(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

/* Who is to be looked at. 0 or -errno. */
static int list_processes(struct walk *walk, int proc)
{
	_cleanup_(close_fd) int dir = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n = dir < 0 ? -errno : read_numbers(dir, &pids);

	if (n < 0)
		return (int)n;
	walk->processes = calloc((size_t)n + 1, sizeof(*walk->processes));
	walk->slices = calloc((size_t)n + 1, sizeof(*walk->slices));
	if (!walk->processes || !walk->slices)
		return -ENOMEM;
	/* The kernel tells them in that order; a recorded tree need not. */
	qsort(pids, (size_t)n, sizeof(*pids), compare_pids);
	for (int64_t i = 0; i < n; i++)
		walk->processes[i].pid = pids[i];
	walk->count = (size_t)n;
	return 0;
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
	if (h->unidentified)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = EACCES,
						.text = "descriptor(s) are not shown: this kernel does not "
							"tell which eventfd they are",
						.count = h->unidentified });
}

static void walk_free(struct walk *walk)
{
	for (size_t t = 0; t < MOST_THREADS; t++)
		walker_free(&walk->walkers[t]);
	free(walk->processes);
	free(walk->slices);
	free(walk);
}

int holders_walk(struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	unsigned threads = request->threads ? request->threads : processor_count();
	struct internal_devices devices;
	uint64_t seen = 0;
	int r;

	if (!walk)
		return -ENOMEM;
	prepare(walk, proc, request);
	devices = walk->devices;
	r = list_processes(walk, proc);
	if (r == 0)
		parallel_run(&(struct parallel_work){ visit, walk, walk->count }, threads);
	for (size_t t = 0; t < MOST_THREADS; t++) {
		seen += walk->walkers[t].threads;
		if (r == 0)
			r = walk->walkers[t].error;
	}
	if (r == 0)
		r = merge(h, walk);
	walk_free(walk);
	if (r < 0)
		return r;
	h->devices = devices;
	h->hidden = is_partial(proc, seen);
	h->walked = true;
	warn(h, warnings);
	return 0;
}

void holders_free(struct holders *h)
{
	free(h->items);
	free(h->holdings);
	free(h->ranges);
	for (size_t c = 0; c < OBJECT_CLASSES; c++)
		free(h->objects[c].first);
	free(h->files);
	hash_free(&h->index);
	hash_free(&h->file_index);
	for (size_t t = 0; h->arenas && t < MOST_THREADS; t++)
		arena_free(&h->arenas[t]);
	free(h->arenas);
	*h = (struct holders){ 0 };
}
