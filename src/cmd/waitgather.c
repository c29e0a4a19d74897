/* SPDX-License-Identifier: MIT */
#include "cmd/waitgraph.h"

#include <errno.h>

#include "lib/vec.h"

/* Fields of a kind that tell who waits, and who could release it; -1: it has none. */
struct columns {
	int ref, state, waiting, openers, waiters, holders, peers, owner_pid, owner_tid;
};

/* The kind under way. */
struct gathering {
	struct wait_graph *g;
	struct listing *l;
	size_t kind;
	bool asked;
	struct columns at;
	struct warnings *warnings;
	struct projector projector;
	struct arena values, arena;
	struct record record; /* of the object under way */
	size_t *awaited;      /* objects of the kind that somebody waits for */
	size_t nawaited;
};

static struct columns columns_of(const struct schema *schema)
{
	return (struct columns){
		.ref = schema_find(schema, SPAN("ref")),
		.state = schema_find(schema, SPAN("state")),
		.waiting = schema_find(schema, SPAN("waiting")),
		.openers = schema_find(schema, SPAN("openers")),
		.waiters = schema_find(schema, SPAN("waiters")),
		.holders = schema_find(schema, SPAN("holders")),
		.peers = schema_find(schema, SPAN("peers")),
		.owner_pid = schema_find(schema, SPAN("owner_pid")),
		.owner_tid = schema_find(schema, SPAN("owner_tid")),
	};
}

static struct fieldset wanted_fields(const struct columns *at)
{
	const int fields[] = { at->ref,	    at->state, at->waiting,   at->openers,  at->waiters,
			       at->holders, at->peers, at->owner_pid, at->owner_tid };
	struct fieldset set = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i] >= 0)
			set.bits |= (uint64_t)1 << fields[i];
	return set;
}

unsigned wait_graph_sources(const struct listing *l)
{
	unsigned sources = SOURCE_TASKS;

	for (size_t i = 0; i < l->nkinds; i++) {
		struct columns at = columns_of(l->schemas[i]);

		if (at.waiting >= 0)
			sources |= l->kinds[i]->sources | schema_sources(l->schemas[i], wanted_fields(&at));
	}
	return sources & ~(unsigned)SOURCES_NOT_AWAITED;
}

/* A value of a row by the name of its field, if it is set, or NULL. */
static const struct value *value_of(const struct record *r, const char *name)
{
	int field = schema_find(r->schema, span_of(name));

	return field >= 0 && r->values[field].state == VALUE_SET ? &r->values[field] : NULL;
}

static uint64_t number_of(const struct record *r, const char *name, uint64_t otherwise)
{
	const struct value *v = value_of(r, name);

	return v ? v->u64 : otherwise;
}

static struct span text_of(const struct record *r, const char *name)
{
	const struct value *v = value_of(r, name);

	return v ? v->str : (struct span){ "", 0 };
}

/* What the call is to do: "semaphore 3: -1"; of a lock its mode and range. */
static struct span operation_of(struct wait_graph *g, const struct record *row)
{
	struct span operation = text_of(row, "operation"), mode = text_of(row, "lock_mode");
	struct span access = text_of(row, "access");
	struct span range = text_of(row, "range");

	if (mode.len == 0)
		return arena_span(&g->arena, operation.len > 0 ? operation : access);
	return arena_printf(&g->arena, "%.*s%s%.*s", (int)mode.len, mode.ptr, range.len ? " " : "",
			    (int)range.len, range.ptr);
}

static int add_releaser(struct wait_graph *g, const struct releaser *r)
{
	if (r->pid == 0)
		return 0;
	if (vec_reserve(&g->releasers, g->nreleasers, sizeof(*g->releasers)) < 0)
		return -ENOMEM;
	g->releasers[g->nreleasers++] = *r;
	return 0;
}

static int add_releasers(struct wait_graph *g, const struct list *list, enum release why)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < list->count; i++) {
		const struct value *fd;
		struct record row;
		struct releaser r = { .why = why };

		list_row(list, i, &row);
		fd = value_of(&row, "fd");
		r.pid = (uint32_t)number_of(&row, "pid", 0);
		r.tid = (uint32_t)number_of(&row, "tid", 0);
		r.fd = fd ? (int64_t)fd->u64 : -1;
		r.role = arena_span(&g->arena, text_of(&row, "role"));
		e = r.role.ptr ? add_releaser(g, &r) : -ENOMEM;
	}
	return e;
}

static int compare_releasers(const void *pa, const void *pb)
{
	const struct releaser *a = pa, *b = pb;
	size_t n = a->role.len < b->role.len ? a->role.len : b->role.len;
	int d = memcmp(a->role.ptr, b->role.ptr, n);

	if (d == 0)
		d = (a->role.len > b->role.len) - (a->role.len < b->role.len);
	if (d == 0)
		d = (a->pid > b->pid) - (a->pid < b->pid);
	return d ? d : (a->fd > b->fd) - (a->fd < b->fd);
}

/* Who could release the object, whoever waits for it. */
static int gather_releasers(struct gathering *a, const struct record *r, struct awaited *object)
{
	const struct value *owner = a->at.owner_pid >= 0 ? &r->values[a->at.owner_pid] : NULL;
	const struct value *peers = a->at.peers >= 0 ? &r->values[a->at.peers] : NULL;
	const struct value *holders = a->at.holders >= 0 ? &r->values[a->at.holders] : NULL;
	struct wait_graph *g = a->g;
	int e = 0;

	object->first = g->nreleasers;
	if (object->dead || (owner && owner->state == VALUE_UNKNOWN)) {
		/* Nobody, or somebody out of sight. */
	} else if (owner && owner->state == VALUE_SET) {
		e = add_releaser(g, &(struct releaser){ .pid = (uint32_t)owner->u64,
							.tid = (uint32_t)number_of(r, "owner_tid", 0),
							.fd = -1,
							.role = SPAN(""),
							.why = RELEASE_OWNER });
	} else if (peers && peers->state == VALUE_SET && peers->list->count > 0) {
		e = add_releasers(g, peers->list, RELEASE_OTHER_END);
	} else if (holders && holders->state == VALUE_SET) {
		bool lock = object->kind->excludes && !owner;

		e = add_releasers(g, holders->list, lock ? RELEASE_HOLDER : RELEASE_SHARES);
	}
	object->count = g->nreleasers - object->first;
	if (object->count > 1)
		qsort(&g->releasers[object->first], object->count, sizeof(*g->releasers), compare_releasers);
	return e;
}

static int add_wait(struct gathering *a, const struct record *row, size_t object)
{
	const struct snapshot *s = &a->l->snapshot;
	struct wait_graph *g = a->g;
	const struct value *fd = value_of(row, "fd");
	struct wait w = {
		.pid = (uint32_t)number_of(row, "pid", 0),
		.tid = (uint32_t)number_of(row, "tid", 0),
		.fd = fd ? (int64_t)fd->u64 : -1,
		.object = object,
		.operation = operation_of(g, row),
		.last = { .fd = -1,
			  .role = SPAN(""),
			  .why = a->at.holders >= 0 ? RELEASE_HOLDER : RELEASE_LAST },
	};
	const struct task *task;

	/* The numbers of locks are of the process alone where no task was found that fits. */
	task = w.pid ? tasks_find(&s->tasks, w.pid, w.tid ? w.tid : w.pid) : NULL;
	if (!w.operation.ptr)
		return -ENOMEM;
	if (w.pid == 0) {
		g->unplaced++;
		return 0;
	}
	/* Of locks, whose holders are known, it says who stands ahead. */
	if (g->objects[object].count == 0)
		w.last.pid = (uint32_t)number_of(row, "blocked_by", 0);
	w.call = task ? task_wait_name(task->wait) : "unknown";
	w.timed = !task || task_wait_is_timed(task);
	w.among = task && (task->wait >= WAIT_POLL || task->wait == WAIT_FUTEX_WAITV);
	if (vec_reserve(&g->waits, g->nwaits, sizeof(*g->waits)) < 0)
		return -ENOMEM;
	g->waits[g->nwaits++] = w;
	return 0;
}

/* Both lists of tasks that a kind may have: blocked on its objects, and in open(2) of one. */
static int waiting_fields(const struct gathering *a, int fields[static 2])
{
	fields[0] = a->at.waiting;
	fields[1] = a->at.openers;
	return a->at.openers >= 0 ? 2 : 1;
}

static bool is_awaited(const struct gathering *a, const struct record *r)
{
	int fields[2], n = waiting_fields(a, fields);
	bool found = false;

	for (int i = 0; i < n; i++) {
		const struct value *v = &r->values[fields[i]];

		found |= v->state == VALUE_SET && v->list->count > 0;
	}
	return found;
}

/* One object that is waited for, with all that is to be told of it. */
static int gather(struct gathering *a, const struct record *r)
{
	struct wait_graph *g = a->g;
	struct awaited object = { .kind = a->l->kinds[a->kind], .asked = a->asked };
	int fields[2], n = waiting_fields(a, fields), e;
	struct record row;

	object.ref = arena_span(&g->arena, r->values[a->at.ref].str);
	object.dead = a->at.owner_pid >= 0 && span_is(text_of(r, "state"), "orphaned");
	if (!object.ref.ptr || vec_reserve(&g->objects, g->nobjects, sizeof(*g->objects)) < 0)
		return -ENOMEM;
	e = gather_releasers(a, r, &object);
	g->objects[g->nobjects++] = object;
	for (int f = 0; e == 0 && f < n; f++) {
		const struct value *v = &r->values[fields[f]];

		for (size_t i = 0; e == 0 && v->state == VALUE_SET && i < v->list->count; i++) {
			list_row(v->list, i, &row);
			e = add_wait(a, &row, g->nobjects - 1);
		}
	}
	return e;
}

/* The fields that tell whether somebody waits. */
static struct fieldset first_look(const struct gathering *a)
{
	int fields[2], n = waiting_fields(a, fields);
	struct fieldset set = { 0 };

	for (int i = 0; i < n; i++)
		set.bits |= (uint64_t)1 << fields[i];
	return set;
}

/* Makes a->record of an object. 0, PROJECT_SKIP or -ENOMEM. */
static int project(struct gathering *a, struct fieldset want, size_t index)
{
	record_clear(&a->record);
	arena_reset(&a->arena);
	a->projector.want = want;
	return kind_project(a->l->kinds[a->kind], &a->projector, index, &a->record);
}

/* An object that somebody waits for. */
static int gather_object(struct gathering *a, size_t index)
{
	int e = project(a, wanted_fields(&a->at), index);

	if (e == 0 && is_awaited(a, &a->record))
		e = gather(a, &a->record);
	return e == PROJECT_SKIP ? 0 : e;
}

static int note_awaited(void *data, size_t index, const struct record *r)
{
	struct gathering *a = data;

	warnings_tally(a->warnings, r, first_look(a));
	if (!is_awaited(a, r))
		return 0;
	if (vec_reserve(&a->awaited, a->nawaited, sizeof(*a->awaited)) < 0)
		return -ENOMEM;
	a->awaited[a->nawaited++] = index;
	return 0;
}

/* Whether somebody waits is asked first, for to tell who holds an object costs more. */
static int find_awaited(struct gathering *a)
{
	const struct kind *k = a->l->kinds[a->kind];
	const struct snapshot *s = &a->l->snapshot;
	size_t n = kind_count(k, s);

	if (!k->awaited) {
		a->projector.want = first_look(a);
		return kind_each(k, &a->projector, 0, n, &a->record, note_awaited, a);
	}
	for (size_t i = 0; i < n; i++) {
		if (!kind_owns(k, s, i) || !k->awaited(s, i))
			continue;
		if (vec_reserve(&a->awaited, a->nawaited, sizeof(*a->awaited)) < 0)
			return -ENOMEM;
		a->awaited[a->nawaited++] = i;
	}
	return 0;
}

static int gather_kind(struct gathering *a)
{
	const struct kind *k = a->l->kinds[a->kind];
	int e = record_init(&a->record, k->schema, &a->values);

	a->record.arena = &a->arena;
	a->projector.snapshot = &a->l->snapshot;
	a->projector.brief = true;
	if (e == 0)
		e = find_awaited(a);
	for (size_t i = 0; e == 0 && i < a->nawaited; i++)
		e = gather_object(a, a->awaited[i]);
	projector_free(&a->projector);
	free(a->awaited);
	arena_free(&a->values);
	arena_free(&a->arena);
	return e;
}

static int compare_waits(const void *pa, const void *pb)
{
	const struct wait *a = pa, *b = pb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

static bool is_asked(const struct kind *k, const struct kind_list *asked)
{
	for (size_t i = 0; i < asked->count; i++)
		if (asked->items[i] == k)
			return true;
	return false;
}

int wait_graph_build(struct wait_graph *g, struct listing *l, const struct kind_list *asked,
		     struct warnings *warnings)
{
	int e = 0;

	*g = (struct wait_graph){ 0 };
	for (size_t i = 0; e == 0 && i < l->nkinds; i++) {
		struct gathering a = { .g = g, .l = l, .kind = i, .warnings = warnings };

		a.at = columns_of(l->schemas[i]);
		a.asked = is_asked(l->kinds[i], asked);
		if (a.at.waiting < 0)
			continue;
		e = gather_kind(&a);
	}
	if (e == 0 && g->nwaits > 1)
		qsort(g->waits, g->nwaits, sizeof(*g->waits), compare_waits);
	return e;
}
