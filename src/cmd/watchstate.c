/* SPDX-License-Identifier: MIT */
#include "cmd/watchstate.h"

#include <errno.h>

#include "lib/vec.h"

struct watch_entry {
	size_t at;	   /* in the generation's text */
	uint32_t ref_size; /* bytes of the reference; the packed values follow */
	uint32_t size;	   /* bytes of those */
	uint32_t kind;
	uint32_t was;  /* its index in the last look, from 1; 0: it was not there */
	bool shown;    /* it passed the filters */
	bool nameless; /* only its holders lead to it */
	bool kept;     /* it went out of sight as something was hidden: nobody knows whether it is there */
	bool matched;  /* the next look has it, too, or it is kept for that */
};

static struct span entry_ref(const struct watch_generation *g, const struct watch_entry *e)
{
	return (struct span){ g->text.data + e->at, e->ref_size };
}

static struct span entry_packed(const struct watch_generation *g, const struct watch_entry *e)
{
	return (struct span){ g->text.data + e->at + e->ref_size, e->size };
}

static void generation_free(struct watch_generation *g)
{
	buf_free(&g->text);
	free(g->entries);
	hash_free(&g->by_ref);
	hash_free(&g->by_identity);
	free(g->seen);
	*g = (struct watch_generation){ 0 };
}

void watch_state_free(struct watch_state *s)
{
	generation_free(&s->old);
	generation_free(&s->now);
	buf_free(&s->scratch);
}

int watch_look_begin(struct watch_state *s)
{
	generation_free(&s->now);
	s->now.seen = calloc(s->nkinds + 1, sizeof(*s->now.seen));
	s->cursor = 0;
	return s->now.seen ? 0 : -ENOMEM;
}

void watch_look_end(struct watch_state *s)
{
	generation_free(&s->old);
	s->old = s->now;
	s->now = (struct watch_generation){ 0 };
}

/* The references of the last look are looked up only if one is not where it was. */
static int index_old(struct watch_generation *g)
{
	if (g->indexed)
		return 0;
	if (hash_reserve(&g->by_ref, g->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < g->count; i++)
		if (hash_add(&g->by_ref, hash_bytes(entry_ref(g, &g->entries[i])), (uint32_t)i) < 0)
			return -ENOMEM;
	g->indexed = true;
	return 0;
}

/* Whether what both looks know of the identity is the same. */
static bool is_same_object(const struct watch_kind *k, struct span old, struct span new)
{
	if (span_eq(old, new))
		return true;
	for (uint64_t left = k->packed.bits; left != 0; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		struct span a = packed_next(&old, &k->schema->fields[i]);
		struct span b = packed_next(&new, &k->schema->fields[i]);

		if (wants(k->identity, i) && !span_eq(a, b) && packed_state(a) == VALUE_SET &&
		    packed_state(b) == VALUE_SET)
			return false;
	}
	return true;
}

static bool is_it(const struct watch_state *s, size_t i, size_t kind, struct span ref, struct span packed)
{
	const struct watch_entry *e = &s->old.entries[i];

	return !e->matched && e->kind == kind && span_eq(entry_ref(&s->old, e), ref) &&
	       is_same_object(&s->kinds[kind], entry_packed(&s->old, e), packed);
}

/* The index in the last look, from 1, of the object; 0: it was not there; or -ENOMEM. */
static int64_t find_old(struct watch_state *s, size_t kind, struct span ref, struct span packed)
{
	struct watch_generation *g = &s->old;
	const struct hash_slot *slot = NULL;
	size_t i = s->cursor;
	uint64_t key;

	if (i >= g->count || !is_it(s, i, kind, ref, packed)) {
		if (g->count == 0)
			return 0;
		if (index_old(g) < 0)
			return -ENOMEM;
		key = hash_bytes(ref);
		do
			slot = hash_find(&g->by_ref, key, slot);
		while (slot && !is_it(s, slot->value, kind, ref, packed));
		if (!slot)
			return 0;
		i = slot->value;
	}
	g->entries[i].matched = true;
	s->cursor = i + 1;
	return (int64_t)i + 1;
}

static int add_entry(struct watch_generation *g, struct span ref, struct span packed,
		     const struct watch_entry *like)
{
	struct watch_entry *e;

	if (vec_reserve(&g->entries, g->count, sizeof(*g->entries)) < 0 || packed.len > UINT32_MAX ||
	    g->count == UINT32_MAX)
		return -ENOMEM;
	e = &g->entries[g->count++];
	*e = *like;
	e->matched = false;
	e->at = g->text.len;
	e->ref_size = (uint32_t)ref.len;
	e->size = (uint32_t)packed.len;
	buf_put_span(&g->text, ref);
	buf_put_span(&g->text, packed);
	return g->text.failed ? -ENOMEM : 0;
}

/* What every event of an object says. */
static struct watch_event event_of(const struct watch_state *s, const struct watch_generation *g,
				   const struct watch_entry *e)
{
	return (struct watch_event){ .kind = &s->kinds[e->kind],
				     .entry = g == &s->now ? (size_t)(e - g->entries) : SIZE_MAX,
				     .ref = entry_ref(g, e),
				     .packed = entry_packed(g, e),
				     .field = -1 };
}

static int tell_whole(struct watch_state *s, enum watch_what what, const struct watch_generation *g,
		      const struct watch_entry *e)
{
	struct watch_event event = event_of(s, g, e);

	event.what = what;
	return s->tell(s->data, &event);
}

/* Tells each field that differs. */
static int compare(struct watch_state *s, const struct watch_entry *before, const struct watch_entry *after)
{
	const struct watch_kind *k = &s->kinds[after->kind];
	struct span old = entry_packed(&s->old, before), new = entry_packed(&s->now, after);
	struct watch_event event = event_of(s, &s->now, after);
	int r = 0;

	if (span_eq(old, new))
		return 0;
	for (uint64_t left = k->packed.bits; r == 0 && left != 0; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);

		event.field = (int)i;
		event.old = packed_next(&old, &k->schema->fields[i]);
		event.new = packed_next(&new, &k->schema->fields[i]);
		event.what = event.field == k->state ? WATCH_STATE : WATCH_CHANGED;
		if (wants(k->compared, i) && !span_eq(event.old, event.new))
			r = s->tell(s->data, &event);
	}
	return r;
}

/* A digest of the identity; false if some of it is unknown, or there is none. */
static bool identity_key(const struct watch_kind *k, struct span packed, uint64_t *key)
{
	uint64_t words[64] = { 0 };
	size_t n = 0;

	for (uint64_t left = k->packed.bits; left != 0; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		struct span bytes = packed_next(&packed, &k->schema->fields[i]);

		if (!wants(k->identity, i))
			continue;
		if (packed_state(bytes) != VALUE_SET)
			return false;
		words[n++] = hash_bytes(bytes);
	}
	*key = hash_bytes((struct span){ (const char *)words, n * sizeof(*words) });
	return n > 0;
}

static int identify_old(struct watch_state *s)
{
	struct watch_generation *g = &s->old;
	uint64_t key;

	if (g->identified)
		return 0;
	if (hash_reserve(&g->by_identity, g->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < g->count; i++)
		if (identity_key(&s->kinds[g->entries[i].kind], entry_packed(g, &g->entries[i]), &key) &&
		    hash_add(&g->by_identity, key, (uint32_t)i) < 0)
			return -ENOMEM;
	g->identified = true;
	return 0;
}

/*
 * An object without a name that had one in the last look: it was unlinked, and somebody still has it. Its
 * name was removed, but nothing was created. 1 if it is one, 0, or -ENOMEM.
 */
static int find_unlinked(struct watch_state *s, const struct watch_entry *e, struct span *before)
{
	const struct hash_slot *slot = NULL;
	uint64_t key;

	if (!e->nameless || !identity_key(&s->kinds[e->kind], entry_packed(&s->now, e), &key))
		return 0;
	if (identify_old(s) < 0)
		return -ENOMEM;
	while (s->old.count > 0 && (slot = hash_find(&s->old.by_identity, key, slot)))
		if (s->old.entries[slot->value].kind == e->kind) {
			*before = entry_packed(&s->old, &s->old.entries[slot->value]);
			return 1;
		}
	return 0;
}

/* An object that the last look does not have: new, unless it may only have been out of sight. */
static int tell_new(struct watch_state *s, const struct watch_entry *e)
{
	const struct watch_kind *k = &s->kinds[e->kind];
	const struct watch_seen *seen = s->old.seen ? &s->old.seen[e->kind] : NULL;
	struct watch_event event = event_of(s, &s->now, e);
	struct span before;
	int r;

	if (!seen || !seen->known)
		return s->initial ? tell_whole(s, WATCH_PRESENT, &s->now, e) : 0;
	r = find_unlinked(s, e, &before);
	if (r < 0)
		return r;
	event.what = seen->hides && !s->now.seen[e->kind].hides ? WATCH_PRESENT : WATCH_CREATED;
	if (r == 1) {
		event.what = WATCH_CHANGED;
		event.field = k->deleted;
		event.old = packed_field(before, k->schema, k->packed, (size_t)k->deleted);
		event.new = packed_field(event.packed, k->schema, k->packed, (size_t)k->deleted);
	}
	return s->tell(s->data, &event);
}

static bool is_nameless(const struct watch_kind *k, const struct record *r)
{
	const struct value *v = k->deleted < 0 ? NULL : &r->values[k->deleted];

	return v && v->state == VALUE_SET && v->flag;
}

int watch_look_add(struct watch_state *s, size_t kind, const struct record *r, bool shown)
{
	const struct watch_kind *k = &s->kinds[kind];
	struct watch_entry entry = { .kind = (uint32_t)kind, .shown = shown, .nameless = is_nameless(k, r) };
	struct span ref = r->values[k->ref].str, packed;
	int64_t was;

	buf_reset(&s->scratch);
	pack_values(&s->scratch, r, k->packed);
	if (s->scratch.failed)
		return -ENOMEM;
	packed = buf_span(&s->scratch);
	was = find_old(s, kind, ref, packed);
	if (was < 0)
		return -ENOMEM;
	entry.was = (uint32_t)was;
	return add_entry(&s->now, ref, packed, &entry);
}

static size_t first_of_kind(const struct watch_generation *g, size_t kind)
{
	return g->seen && kind > 0 ? g->seen[kind - 1].end : 0;
}

static size_t end_of_kind(const struct watch_generation *g, size_t kind)
{
	return g->seen ? g->seen[kind].end : 0;
}

int watch_look_end_kind(struct watch_state *s, size_t kind, const struct watch_trust *trust)
{
	struct watch_generation *g = &s->old;
	struct watch_seen seen = g->seen ? g->seen[kind] : (struct watch_seen){ 0 };
	bool began_to_hide = trust->hides && !seen.hides;
	int r = 0;

	for (size_t i = first_of_kind(g, kind); r == 0 && i < end_of_kind(g, kind); i++) {
		struct watch_entry *e = &g->entries[i];

		if (e->matched)
			continue;
		e->kept |= began_to_hide;
		e->kept &= trust->hides || trust->lost;
		if (!trust->lost && !e->kept && !(e->nameless && trust->holders_lost))
			continue;
		e->was = (uint32_t)i + 1;
		e->matched = true;
		r = add_entry(&s->now, entry_ref(g, e), entry_packed(g, e), e);
	}
	s->now.seen[kind] = (struct watch_seen){ .known = !trust->lost || seen.known,
						 .hides = trust->lost ? seen.hides : trust->hides,
						 .end = s->now.count };
	return r;
}

static int tell_kind(struct watch_state *s, size_t kind)
{
	struct watch_generation *old = &s->old, *now = &s->now;
	int r = 0;

	/* First what went: another may have taken its reference. */
	for (size_t i = first_of_kind(old, kind); r == 0 && i < end_of_kind(old, kind); i++)
		if (!old->entries[i].matched && old->entries[i].shown)
			r = tell_whole(s, WATCH_REMOVED, old, &old->entries[i]);
	for (size_t i = first_of_kind(now, kind); r == 0 && i < end_of_kind(now, kind); i++) {
		const struct watch_entry *e = &now->entries[i];

		if (!e->was && e->shown)
			r = tell_new(s, e);
		else if (e->was && (e->shown || old->entries[e->was - 1].shown))
			r = compare(s, &old->entries[e->was - 1], e);
	}
	return r;
}

int watch_look_tell(struct watch_state *s)
{
	int r = 0;

	for (size_t kind = 0; r == 0 && kind < s->nkinds; kind++)
		r = tell_kind(s, kind);
	return r;
}
