/* SPDX-License-Identifier: MIT */
/* What the threads of a walk found, put together and grouped by object. */
#include <errno.h>

#include "lib/vec.h"
#include "scan/walk.h"

struct object_key holding_key(const struct holding *g)
{
	return (struct object_key){ g->class, device_unpack(g->dev), g->ino };
}

static uint64_t digest_of(const struct holding *g)
{
	return object_digest_packed(g->class, g->dev, g->ino);
}

/* The object that has the key of a holding, or NULL. */
static struct held_object *find_object(const struct holders *h, uint64_t digest, const struct holding *g)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&h->index, digest, slot)) != NULL) {
		const struct holding *known = holding_at(h, h->objects[slot->value].first);

		if (known->ino == g->ino && known->dev == g->dev && known->class == g->class)
			return &h->objects[slot->value];
	}
	return NULL;
}

static const struct held_object *find_key(const struct holders *h, const struct object_key *key)
{
	struct holding g = { .ino = key->ino, .dev = device_pack(key->dev), .class = (uint8_t)key->class };

	return find_object(h, object_digest(key), &g);
}

const struct holding *holders_find(const struct holders *h, const struct object_key *key)
{
	const struct held_object *object = find_key(h, key);

	return object ? holding_at(h, object->first) : NULL;
}

void holders_prefetch(const struct holders *h, const struct object_key *key, enum holders_step step)
{
	uint64_t digest = object_digest(key);
	const struct hash_slot *slot;

	if (step == STEP_SLOT) {
		hash_prefetch(&h->index, digest);
		return;
	}
	slot = hash_find(&h->index, digest, NULL);
	if (slot && step == STEP_OBJECT)
		__builtin_prefetch(&h->objects[slot->value]);
	else if (slot)
		__builtin_prefetch(holding_at(h, h->objects[slot->value].first));
}

int64_t holders_position(const struct holders *h, const struct object_key *key)
{
	const struct held_object *object = find_key(h, key);

	return object ? (int64_t)object->position : -ENOENT;
}

const struct found_file *holders_file(const struct holders *h, const struct object_key *key)
{
	return found_file_find(h->files, &h->file_index, key);
}

/* Puts a holding behind the others of its object, or makes it the first of a new one. */
static int add_to_object(struct holders *h, struct holding *g, uint32_t number)
{
	uint64_t digest = digest_of(g);
	struct held_object *object = find_object(h, digest, g);
	struct object_list *list = &h->classes[g->class];

	if (object) {
		holding_at(h, object->last)->next = number;
		object->last = number;
		return 0;
	}
	if (vec_reserve(&list->items, list->count, sizeof(*list->items)) < 0 ||
	    hash_add(&h->index, digest, (uint32_t)h->nobjects) < 0)
		return -ENOMEM;
	h->objects[h->nobjects++] = (struct held_object){ number, number, (uint32_t)list->count };
	list->items[list->count++] = number;
	return 0;
}

/* Goes up the processes, so that the holdings of an object, and the objects of a class, get
 * into that order whichever thread found them. */
static int group(struct holders *h, const struct walk *walk)
{
	const size_t ahead = 16; /* memory is slow, and the next ones are known */

	/* As many as there can be: what is not used takes no memory, and growing would copy them. */
	h->objects = reallocarray(NULL, h->nholdings + 1, sizeof(*h->objects));
	if (!h->objects || hash_reserve(&h->index, h->nholdings / 2) < 0)
		return -ENOMEM;
	for (size_t p = 0; p < walk->count; p++) {
		const struct slice *s = &walk->slices[p];
		struct holding *g = h->holdings[s->thread] + s->first;
		uint32_t number = h->bases[s->thread] + (uint32_t)s->first;

		for (size_t i = 0; i < s->count; i++) {
			if (i + ahead < s->count)
				hash_prefetch(&h->index, digest_of(&g[i + ahead]));
			if (add_to_object(h, &g[i], number + (uint32_t)i) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Puts the ranges of all threads behind those of the first, and adjusts their numbers. */
static int merge_ranges(struct holders *h, struct walk *walk)
{
	struct walker *first = &walk->walkers[0];
	size_t total = 0, base = first->nranges;

	for (size_t t = 0; t < MOST_THREADS; t++)
		total += walk->walkers[t].nranges;
	if (total > INT32_MAX)
		return -ENOMEM;
	h->ranges = reallocarray(first->ranges, total + 1, sizeof(*h->ranges));
	if (!h->ranges)
		return -ENOMEM;
	first->ranges = NULL;
	for (size_t t = 1; t < MOST_THREADS; t++) {
		struct walker *w = &walk->walkers[t];

		if (w->nranges == 0)
			continue;
		memcpy(h->ranges + base, w->ranges, w->nranges * sizeof(*w->ranges));
		for (size_t i = 0; i < w->nholdings; i++)
			if (w->holdings[i].fd < 0)
				w->holdings[i].fd -= (int32_t)base;
		base += w->nranges;
	}
	return 0;
}

/* The locks that one thread met get the numbers that they have among those of all. 0 or -ENOMEM. */
static int merge_locks(struct lock_set *all, struct walker *w)
{
	_cleanup_(free_ptr) uint32_t *numbers = calloc(w->locks.count + 1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < w->locks.count; i++) {
		int64_t number = lock_set_add(all, &w->locks.items[i]);

		if (number < 0)
			return -ENOMEM;
		numbers[i] = (uint32_t)number;
	}
	for (size_t i = 0; i < w->nholdings && w->locks.count > 0; i++)
		if (w->holdings[i].class == OBJECT_LOCK)
			w->holdings[i].ino = numbers[w->holdings[i].ino];
	return 0;
}

/* Numbers the holdings. */
static int take_holdings(struct holders *h, struct walk *walk)
{
	for (unsigned t = 0; t < MOST_THREADS; t++) {
		struct walker *w = &walk->walkers[t];

		if (h->nholdings + w->nholdings >= NO_HOLDING)
			return -ENOMEM;
		h->bases[t] = (uint32_t)h->nholdings;
		h->holdings[t] = w->holdings;
		h->nholdings += w->nholdings;
		if (w->nholdings > 0 || t == 0)
			h->nthreads = t + 1;
		w->holdings = NULL;
	}
	return 0;
}

/* The files that one thread saw: the first's are taken as they are. 0 or -ENOMEM. */
static int take_files(struct holders *h, struct walker *w)
{
	int r = 0;

	if (!h->files) {
		h->files = w->files;
		h->nfiles = w->nfiles;
		h->file_index = w->file_index;
		w->files = NULL;
		w->file_index = (struct hash){ 0 };
		return 0;
	}
	for (size_t i = 0; r == 0 && i < w->nfiles; i++)
		r = found_file_add(&h->files, &h->nfiles, &h->file_index, &w->files[i]);
	return r;
}

/* Everything but holdings and ranges. 0 or -ENOMEM. */
static int take_rest(struct holders *h, struct walk *walk)
{
	int r = 0;

	h->items = walk->processes;
	h->count = walk->count;
	walk->processes = NULL;
	h->arenas = calloc(MOST_THREADS, sizeof(*h->arenas));
	if (!h->arenas)
		return -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++) {
		struct walker *w = &walk->walkers[t];

		if (r == 0)
			r = take_files(h, w);
		h->unreadable += w->unreadable;
		h->unidentified += w->unidentified;
		h->elsewhere += w->elsewhere;
		h->arenas[t] = w->arena;
		w->arena = (struct arena){ 0 };
		/* Now: what comes next takes as much memory again. */
		walker_free(w);
		*w = (struct walker){ 0 };
	}
	return r;
}

int walk_merge(struct holders *h, struct walk *walk)
{
	int r = merge_ranges(h, walk);

	for (size_t t = 0; r == 0 && t < MOST_THREADS; t++)
		r = merge_locks(&h->locks, &walk->walkers[t]);
	if (r == 0)
		r = take_holdings(h, walk);
	if (r == 0)
		r = take_rest(h, walk);
	return r < 0 ? r : group(h, walk);
}
