/* SPDX-License-Identifier: MIT */
/* The plan: all objects are judged, by several threads, and then it is decided in their order. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "cmd/cleaning.h"
#include "cmd/crew.h"
#include "lib/capability.h"
#include "lib/vec.h"

/* What of a record matters here; -1: the kind has no such field. */
struct columns {
	int ref, owner, uid, creator, bytes, age, state, reason, name, messages;
};

static struct columns columns_of(const struct kind *k)
{
	const struct schema *schema = k->schema;
	int messages = schema_find(schema, SPAN("messages"));

	return (struct columns){
		.ref = schema_find(schema, SPAN("ref")),
		.owner = schema_find(schema, SPAN("owner")),
		.uid = schema_find(schema, SPAN("uid")),
		.creator = schema_find(schema, SPAN("cuid")),
		.bytes = k->bytes_field ? schema_find(schema, span_of(k->bytes_field)) : -1,
		.age = schema_find(schema, SPAN("age")),
		.state = schema_find(schema, SPAN("state")),
		.reason = schema_find(schema, SPAN("reason")),
		.name = schema_find(schema, SPAN("name")),
		.messages = messages >= 0 ? messages : schema_find(schema, SPAN("curmsgs")),
	};
}

static struct fieldset wanted(const struct columns *at)
{
	const int fields[] = { at->ref, at->owner, at->uid,    at->creator, at->bytes,
			       at->age, at->state, at->reason, at->name,    at->messages };
	struct fieldset set = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i] >= 0)
			set.bits |= (uint64_t)1 << fields[i];
	return set;
}

static const struct value *value_at(const struct record *r, int field)
{
	static const struct value absent = { .state = VALUE_ABSENT };

	return field < 0 ? &absent : &r->values[field];
}

/* The kind under way. */
struct round {
	struct cleaning *clean;
	const struct kind *kind;
	struct columns at;
	struct batch *batches;
	bool privileged; /* it may remove what others own */
};

/* What one thread has judged in one go. */
struct batch {
	const struct round *round;
	struct candidate *items;
	size_t count;
	struct arena arena;
	struct warnings warnings;
};

static bool is_set(const struct value *v)
{
	return v->state == VALUE_SET;
}

static bool name_fits(const struct round *round, const struct record *r)
{
	const struct value *name = value_at(r, round->at.name);
	struct span text = is_set(name) ? name->str : value_at(r, round->at.ref)->str;
	char pattern_text[512];

	if (!round->clean->name)
		return true;
	/* Without a name of its own: what stands behind the kind. */
	if (!is_set(name))
		text = span_from(text, strlen(round->kind->name) + 1);
	if (text.len >= sizeof(pattern_text))
		return false;
	memcpy(pattern_text, text.ptr, text.len);
	pattern_text[text.len] = '\0';
	return fnmatch(round->clean->name, pattern_text, 0) == 0 ||
	       (pattern_text[0] == '/' && fnmatch(round->clean->name, pattern_text + 1, 0) == 0);
}

static struct span keep(struct batch *b, const struct value *v)
{
	return is_set(v) ? arena_span(&b->arena, v->str) : SPAN("");
}

static int note_candidate(void *data, size_t index, const struct record *r)
{
	struct batch *b = data;
	const struct round *round = b->round;
	const struct filters *filters = &round->clean->filters;
	const struct columns *at = &round->at;
	enum match m = filters_match(filters, r);
	struct candidate c = {
		.kind = round->kind,
		.index = index,
		.uid = *value_at(r, at->uid),
		.creator = *value_at(r, at->creator),
		.bytes = *value_at(r, at->bytes),
		.age = *value_at(r, at->age),
		.messages = *value_at(r, at->messages),
	};

	if (m == MATCH_UNKNOWN)
		warnings_tally(&b->warnings, r, filters_fields(filters, r->schema));
	if (m != MATCH_YES || !name_fits(round, r))
		return 0;
	c.ref = keep(b, value_at(r, at->ref));
	c.owner = keep(b, value_at(r, at->owner));
	c.state = keep(b, value_at(r, at->state));
	c.reason = keep(b, value_at(r, at->reason));
	if (!c.ref.ptr || !c.owner.ptr || !c.state.ptr || !c.reason.ptr ||
	    vec_reserve(&b->items, b->count, sizeof(*b->items)) < 0)
		return -ENOMEM;
	b->items[b->count++] = c;
	return 0;
}

/* Whether the caller may remove what this user owns or has made. */
static bool may_remove(const struct round *round, const struct candidate *c)
{
	return round->privileged || (is_set(&c->uid) && c->uid.u64 == geteuid()) ||
	       (is_set(&c->creator) && c->creator.u64 == geteuid());
}

/*
 * What is but stale goes only if neither its owner nor who made it has any process: why it does not, or
 * NULL.
 */
static const char *somebody_left(struct cleaning *clean, const struct candidate *c)
{
	const struct value *users[] = { &c->uid, &c->creator };
	struct owners *owners = &clean->owners;

	if (owners_read(owners, clean->l.snapshot.context) < 0)
		return "its owner's processes could not be looked at"; /* for want of memory: see decide() */
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		if (users[i]->state == VALUE_UNKNOWN ||
		    (is_set(users[i]) && owners_oldest(owners, (uint32_t)users[i]->u64)))
			return "its owner or who made it has a living process";
	return owners->complete ? NULL : "its owner may have a process out of sight";
}

/* Why an object is spared, or NULL. */
static const char *objection(const struct round *round, const struct candidate *c)
{
	struct cleaning *clean = round->clean;
	bool idle = span_is(c->state, "idle"), stale = span_is(c->state, "stale");
	bool proved = span_is(c->state, "orphaned") || span_is(c->state, "in-use") || idle || stale;
	const char *left;

	if (!proved) {
		/* With more rights it might have been judged. */
		clean->denied++;
		return "not proved";
	}
	if (span_is(c->state, "in-use"))
		return "it is in use";
	if (idle && round->kind->unlisted)
		return "somebody who used it is alive";
	if (idle && !clean->rules.idle)
		return "somebody could come back (--idle)";
	if (stale && !clean->rules.stale)
		return "no proof (--stale)";
	if (stale && (left = somebody_left(clean, c)) != NULL)
		return left;
	if (!may_remove(round, c)) {
		clean->denied++;
		return "only its owner may remove it";
	}
	if (clean->older_than > 0 && (!is_set(&c->age) || c->age.u64 < clean->older_than))
		return is_set(&c->age) ? "too young (--older-than)" : "its age is not known (--older-than 0)";
	if (is_set(&c->messages) && c->messages.u64 > 0 && !clean->rules.messages)
		return "it holds messages (--with-messages)";
	if (clean->planned >= clean->most)
		return "enough were taken (--max)";
	return NULL;
}

/* Takes over what the batches found, in their order. 0 or -ENOMEM. */
static int decide(struct round *round, size_t count, struct warnings *warnings)
{
	struct cleaning *clean = round->clean;

	for (size_t i = 0; i < count; i++) {
		struct batch *b = &round->batches[i];

		warnings_merge(warnings, &b->warnings);
		if (vec_reserve(&clean->arenas, clean->narenas, sizeof(*clean->arenas)) < 0)
			return -ENOMEM;
		clean->arenas[clean->narenas++] = b->arena;
		b->arena = (struct arena){ 0 };
		for (size_t k = 0; k < b->count; k++) {
			struct candidate *c;
			const char *why;

			if (vec_reserve(&clean->items, clean->count, sizeof(*clean->items)) < 0)
				return -ENOMEM;
			c = &clean->items[clean->count++];
			*c = b->items[k];
			why = objection(round, c);
			if (clean->owners.error == -ENOMEM)
				return -ENOMEM;
			c->action = why ? CLEAN_SPARE : CLEAN_REMOVE;
			c->why = why ? span_of(why) : SPAN("");
			clean->planned += !why;
		}
	}
	return 0;
}

static void *batch_at(void *data, size_t number)
{
	const struct round *round = data;

	round->batches[number].round = round;
	return &round->batches[number];
}

static int plan_kind(struct cleaning *clean, size_t i, struct warnings *warnings)
{
	const struct kind *k = clean->l.kinds[i];
	size_t count = crew_batches(&clean->l, i);
	struct round round = {
		.clean = clean,
		.kind = k,
		.at = columns_of(k),
		.batches = calloc(count + 1, sizeof(*round.batches)),
		.privileged = capability_has(k->remover),
	};
	struct fieldset want = wanted(&round.at);
	int e = -ENOMEM;

	want.bits |= filters_fields(&clean->filters, k->schema).bits;
	if (round.batches)
		e = crew_each(&clean->l, i, want, note_candidate, batch_at, &round);
	if (e == 0)
		e = decide(&round, count, warnings);
	for (size_t b = 0; round.batches && b < count; b++) {
		free(round.batches[b].items);
		arena_free(&round.batches[b].arena);
		warnings_free(&round.batches[b].warnings);
	}
	free(round.batches);
	return e;
}

int cleaning_plan(struct cleaning *clean, struct warnings *warnings)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < clean->l.nkinds; i++)
		e = plan_kind(clean, i, warnings);
	return e;
}
