/* SPDX-License-Identifier: MIT */
/*
 * A map from 64-bit keys to 32-bit values, open addressing. A key may be added
 * more than once; lookups then walk all of its values in the order of adding
 * as long as nothing else grows the map in between. Zero-initialise to make one.
 */
#pragma once

#include "lib/base.h"

struct hash_slot {
	uint64_t key;
	uint32_t value;
	uint32_t used;
};

struct hash {
	struct hash_slot *slots;
	size_t mask; /* slots - 1 */
	size_t count;
};

/* Makes room for so many keys in all at once. 0 or -ENOMEM. */
int hash_reserve(struct hash *h, size_t count) _must_check_;
int hash_add(struct hash *h, uint64_t key, uint32_t value) _must_check_;
/* The first slot with this key, or the next after `after`; NULL at the end. */
const struct hash_slot *hash_find(const struct hash *h, uint64_t key, const struct hash_slot *after);
/* Gives a slot that was found another value. */
void hash_set(struct hash *h, const struct hash_slot *slot, uint32_t value);
/* Fetches the slot of a key that will soon be looked for into the processor's cache. */
void hash_prefetch(const struct hash *h, uint64_t key);
void hash_free(struct hash *h);
/* A 64-bit digest of bytes, to key a map by a name (compare the name too). */
uint64_t hash_bytes(struct span s);
