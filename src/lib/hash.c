/* SPDX-License-Identifier: MIT */
#include "lib/hash.h"

#include <errno.h>

#include "lib/vec.h"

/* Finaliser of SplitMix64: spreads keys that differ in few bits. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static void insert(struct hash *h, uint64_t key, uint32_t value)
{
	size_t i = mix(key) & h->mask;

	while (h->slots[i].used)
		i = (i + 1) & h->mask;
	h->slots[i] = (struct hash_slot){ key, value, 1 };
}

static int resize(struct hash *h, size_t size)
{
	struct hash old = *h;

	h->slots = memory_zeroed(size, sizeof(*h->slots));
	if (!h->slots) {
		*h = old;
		return -ENOMEM;
	}
	h->mask = size - 1;
	if (old.slots) {
		/* Start behind a free slot: a run that wraps round keeps its order. */
		size_t start = 0;

		while (old.slots[start].used)
			start++;
		for (size_t i = 0; i <= old.mask; i++) {
			const struct hash_slot *s = &old.slots[(start + i) & old.mask];

			if (s->used)
				insert(h, s->key, s->value);
		}
	}
	free(old.slots);
	return 0;
}

int hash_reserve(struct hash *h, size_t count)
{
	size_t size = 64;

	while (count > size / 4 * 3)
		size *= 2;
	return h->slots && h->mask + 1 >= size ? 0 : resize(h, size);
}

int hash_add(struct hash *h, uint64_t key, uint32_t value)
{
	if (!h->slots || h->count + 1 > (h->mask + 1) / 4 * 3) {
		int r = resize(h, h->slots ? (h->mask + 1) * 2 : 64);

		if (r < 0)
			return r;
	}
	insert(h, key, value);
	h->count++;
	return 0;
}

const struct hash_slot *hash_find(const struct hash *h, uint64_t key, const struct hash_slot *after)
{
	size_t i;

	if (!h->slots)
		return NULL;
	i = after ? ((size_t)(after - h->slots) + 1) & h->mask : mix(key) & h->mask;
	for (; h->slots[i].used; i = (i + 1) & h->mask)
		if (h->slots[i].key == key)
			return &h->slots[i];
	return NULL;
}

void hash_set(struct hash *h, const struct hash_slot *slot, uint32_t value)
{
	h->slots[slot - h->slots].value = value;
}

void hash_prefetch(const struct hash *h, uint64_t key)
{
	if (h->slots)
		__builtin_prefetch(&h->slots[mix(key) & h->mask]);
}

void hash_free(struct hash *h)
{
	free(h->slots);
	*h = (struct hash){ 0 };
}

uint64_t hash_bytes(struct span s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
	return h;
}
