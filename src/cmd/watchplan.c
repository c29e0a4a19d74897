/* SPDX-License-Identifier: MIT */
#include "cmd/watchplan.h"

/* Whether -o has this very word in it. */
static bool is_named(const struct options *o, const char *name)
{
	size_t n = strlen(name);
	const char *at = o->output ? o->output + (o->output[0] == '+') : NULL;

	while (at) {
		if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
		at = strchr(at, ',');
		at += at != NULL;
	}
	return false;
}

static bool changes_by_itself(const struct field *f)
{
	return f->type == FIELD_TIME || f->type == FIELD_DURATION;
}

/* Whether a field is compared that nobody has named: a column of the kind's own table. In a watch of several
 * kinds not if that takes a call per object. */
static bool is_usual(const struct listing *l, const struct field *f)
{
	if (!(f->flags & (FIELD_DEFAULT | FIELD_MIXED)) || changes_by_itself(f))
		return false;
	return !(f->flags & FIELD_ON_DEMAND) || l->nkinds == 1 || f->flags & FIELD_MIXED;
}

/* Whether a difference in field i of a schema is an event. */
static bool is_compared(const struct listing *l, size_t kind, size_t i, bool table)
{
	const struct options *o = &l->context->options;
	const struct field *f = &l->schemas[kind]->fields[i];
	bool shown = wants(l->sheet.view.shown[kind].set, i), named = is_named(o, f->name);
	bool adds = o->output && o->output[0] == '+';

	/* Only processes would tell it: it could but be unknown. */
	if (o->no_holders && f->sources & SOURCES_PROCESSES && !named)
		return false;
	if (table)
		return shown && (named || !changes_by_itself(f));
	if (o->output && !adds)
		return shown && (named || f->type != FIELD_DURATION);
	return is_usual(l, f) || (adds && shown && named);
}

static void bit(struct fieldset *set, int field)
{
	if (field >= 0)
		set->bits |= (uint64_t)1 << field;
}

static void plan_kind(struct watch_plan *p, const struct listing *l, size_t kind, bool table)
{
	const struct schema *schema = l->schemas[kind];
	struct watch_kind *k = &p->kinds[kind];
	int name = schema_find(schema, SPAN("kind"));

	k->schema = schema;
	k->ref = schema_find(schema, SPAN("ref"));
	k->owner = schema_find(schema, SPAN("owner"));
	k->state = schema_find(schema, SPAN("state"));
	k->deleted = -1;
	for (size_t i = 0; i < schema->nfields; i++) {
		if ((int)i == k->ref || (int)i == name)
			continue;
		if (is_compared(l, kind, i, table))
			bit(&k->compared, (int)i);
		if (schema->fields[i].flags & FIELD_IDENTITY)
			bit(&k->identity, (int)i);
	}
	k->packed.bits = k->compared.bits | k->identity.bits;
	bit(&k->packed, k->owner);
	if (table)
		k->packed.bits |= l->sheet.view.shown[kind].set.bits;
	k->packed.bits &= ~((uint64_t)1 << k->ref);
	p->read[kind] = k->packed;
	bit(&p->read[kind], k->ref);
}

/* What a walk over processes finds has perhaps no name; whether it has is asked only where there is a walk.
 */
static void plan_nameless(struct watch_plan *p, const struct listing *l)
{
	unsigned sources = 0;

	for (size_t i = 0; i < l->nkinds; i++)
		sources |= l->kinds[i]->sources | schema_sources(l->schemas[i], sheet_fields(&l->sheet, i));
	if (!(sources & SOURCE_HOLDERS) || l->context->options.no_holders)
		return;
	for (size_t i = 0; i < l->nkinds; i++) {
		int deleted = schema_find(l->schemas[i], SPAN("deleted"));

		p->kinds[i].deleted = deleted;
		bit(&p->kinds[i].packed, deleted);
		bit(&p->read[i], deleted);
	}
}

int watch_plan_init(struct watch_plan *p, struct listing *l, bool table)
{
	p->kinds = calloc(l->nkinds + 1, sizeof(*p->kinds));
	p->read = calloc(l->nkinds + 1, sizeof(*p->read));
	if (!p->kinds || !p->read)
		return out_of_memory(l->context);
	for (size_t i = 0; i < l->nkinds; i++)
		plan_kind(p, l, i, table);
	l->sheet.read = p->read;
	plan_nameless(p, l);
	return -1;
}

void watch_plan_free(struct watch_plan *p)
{
	free(p->kinds);
	free(p->read);
}
