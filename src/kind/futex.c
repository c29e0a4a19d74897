/* SPDX-License-Identifier: MIT */
/* Mutexes, condition variables, read-write locks and semaphores in shared memory: futex(7). */
#include <errno.h>

#include "kind/futex_change.h"
#include "kind/futex_ref.h"
#include "kind/futex_state.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

static const char *const type_values[] = {
	[FUTEX_UNKNOWN] = "unknown", [FUTEX_SEMAPHORE] = "semaphore", [FUTEX_MUTEX] = "mutex",
	[FUTEX_COND] = "cond",	     [FUTEX_RWLOCK] = "rwlock",	      NULL,
};

static const char *const confidence_values[] = { "guess", "likely", "certain", NULL };
static const char *const layout_values[] = { "glibc-64", "glibc-32", "musl-64", "musl-32", NULL };
static const char *const mutex_values[] = { "normal", "recursive", "error-checking", "adaptive", NULL };
static const char *const protocol_values[] = { "none", "inherit", "protect", NULL };

static const struct field fields[] = {
	[FUTEX_KIND] = COMMON_KIND("futex"),
	[FUTEX_REF] = COMMON_REF,
	[FUTEX_TYPE] = { .name = "type",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .values = type_values,
			 .help = "what it is, as the memory around it reads; unknown: as nothing" },
	[FUTEX_CONFIDENCE] = { .name = "confidence",
			       .type = FIELD_STR,
			       .values = confidence_values,
			       .help = "how sure the type is" },
	[FUTEX_LAYOUT] = { .name = "layout",
			   .type = FIELD_STR,
			   .values = layout_values,
			   .help = "whose object it is: C library and word size" },
	[FUTEX_OBJECT] = { .name = "object",
			   .type = FIELD_STR,
			   .flags = FIELD_SHRINK,
			   .help = "reference of the memory it lies in" },
	[FUTEX_OFFSET] = { .name = "offset", .type = FIELD_U64, .help = "where it begins in that, bytes" },
	[FUTEX_WORD] = { .name = "word",
			 .type = FIELD_KEY,
			 .help = "the 32 bits that tasks wait on, as they are" },
	[FUTEX_VALUE] = { .name = "value",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT,
			  .help = "semaphore: its value" },
	[FUTEX_MUTEX_KIND] = { .name = "mutex_kind",
			       .type = FIELD_STR,
			       .values = mutex_values,
			       .help = "mutex: what locking it twice does" },
	[FUTEX_ROBUST] = { .name = "robust",
			   .type = FIELD_BOOL,
			   .help = "mutex: the next locker is told that its owner died" },
	[FUTEX_PROTOCOL] = { .name = "protocol",
			     .type = FIELD_STR,
			     .values = protocol_values,
			     .help = "mutex: what it does about priorities" },
	[FUTEX_LOCKED] = { .name = "locked", .type = FIELD_BOOL, .help = "mutex, rwlock: it is" },
	[FUTEX_COUNT] = { .name = "count",
			  .type = FIELD_U64,
			  .help = "recursive mutex: how often its owner has locked it" },
	[FUTEX_READERS] = { .name = "readers",
			    .type = FIELD_U64,
			    .help = "rwlock: how many hold it for reading; who, nothing tells" },
	[FUTEX_OWNER_PID] = { .name = "owner_pid",
			      .type = FIELD_PID,
			      .flags = FIELD_DEFAULT,
			      .help = "mutex, rwlock: process that has locked it (for writing)" },
	[FUTEX_OWNER_TID] = { .name = "owner_tid", .type = FIELD_PID, .help = "its thread that has" },
	[FUTEX_OWNER_COMMAND] = { .name = "owner_command",
				  .type = FIELD_STR,
				  .flags = FIELD_SHRINK,
				  .help = "command of that process" },
	[FUTEX_OWNER_NUMBER] = { .name = "owner_number",
				 .type = FIELD_U64,
				 .help = "the thread's number as it is written there: in its own PID "
					 "namespace" },
	[FUTEX_OWNER_DEAD] = { .name = "owner_dead",
			       .type = FIELD_BOOL,
			       .help = "whoever locked it has ended without unlocking it" },
	[FUTEX_WAITERS] = { .name = "waiters",
			    .type = FIELD_U64,
			    .flags = FIELD_DEFAULT | FIELD_GAUGE,
			    .help = "tasks in sight that wait for it" },
	[FUTEX_WAITING] = { .name = "waiting",
			    .type = FIELD_LIST,
			    .items = &futex_waiter_schema,
			    .help = "each of those" },
	[FUTEX_NHOLDERS] = COMMON_NHOLDERS,
	[FUTEX_HOLDERS] = COMMON_HOLDERS,
	[FUTEX_STATE] = COMMON_STATE,
	[FUTEX_REASON] = COMMON_REASON,
	WHEREABOUTS,
};

static const struct schema schema = { "futex", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->futexes.count;
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return memory_object_holding(s, &s->futexes.items[i].object);
}

/* Named semaphores are a kind of their own, that tells who waits for them. */
static bool awaited(const struct snapshot *s, size_t i)
{
	const struct futex *futex = &s->futexes.items[i];

	return futex->nwaiters > 0 &&
	       (futex->entry < 0 || !shm_entry_reads_as_semaphore(&s->shm.items[futex->entry]));
}

/* Where it lies: in an object that has a reference of its own, or at an address of somebody. */
static void project_place(struct projector *p, struct record *r, const struct futex *futex)
{
	_cleanup_(buf_free) struct buf object = { 0 }, ref = { 0 };

	record_u64(r, FUTEX_OFFSET, futex->offset);
	buf_puts(&ref, "futex:");
	if (futex_object_ref(p->snapshot, futex, &object)) {
		record_buf(r, FUTEX_OBJECT, &object);
		buf_put_span(&ref, buf_span(&object));
		buf_printf(&ref, "+%llu", (unsigned long long)futex->offset);
	} else {
		buf_printf(&ref, "%u@%llx", futex->pid, (unsigned long long)futex->address);
	}
	record_buf(r, FUTEX_REF, &ref);
}

static void project_mutex(struct record *r, const struct futex_decoded *d)
{
	record_text(r, FUTEX_MUTEX_KIND, mutex_values[d->kind]);
	record_bool(r, FUTEX_ROBUST, d->robust);
	record_text(r, FUTEX_PROTOCOL, protocol_values[d->protocol]);
	record_bool(r, FUTEX_LOCKED, d->locked);
	if (d->kind == 1)
		record_u64(r, FUTEX_COUNT, d->count);
}

static void project_decoded(struct record *r, const struct futex *futex)
{
	const struct futex_decoded *d = &futex->decoded;

	if (futex->error) {
		record_unknown_why(r, FUTEX_TYPE, WHY_NOT_AT_HAND);
		record_unknown_why(r, FUTEX_WORD, WHY_NOT_AT_HAND);
		return;
	}
	record_text(r, FUTEX_TYPE, type_values[d->type]);
	record_u64(r, FUTEX_WORD, futex->word);
	if (d->type == FUTEX_UNKNOWN)
		return;
	record_text(r, FUTEX_CONFIDENCE, confidence_values[d->confidence - CONFIDENCE_GUESS]);
	record_text(r, FUTEX_LAYOUT, layout_values[(d->libc == LIBC_MUSL ? 2 : 0) + (d->narrow ? 1 : 0)]);
	if (d->type == FUTEX_SEMAPHORE)
		record_u64(r, FUTEX_VALUE, d->value);
	if (d->type == FUTEX_MUTEX)
		project_mutex(r, d);
	if (d->type == FUTEX_RWLOCK) {
		record_bool(r, FUTEX_LOCKED, d->locked);
		record_u64(r, FUTEX_READERS, d->readers);
	}
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_roles roles = { "open", "open", "open", "mapped", NULL };
	const struct snapshot *s = p->snapshot;
	const struct futex *futex = &s->futexes.items[i];
	const struct holding *first = held(s, i);
	struct holding_count found = holding_count_from(p, first);

	record_text(r, FUTEX_KIND, "futex");
	project_place(p, r, futex);
	project_decoded(r, futex);
	if (wants_any(p->want, FUTEX_NHOLDERS, FUTEX_HOLDERS) &&
	    record_holders_from(p, r, &(struct holding_fields){ FUTEX_NHOLDERS, FUTEX_HOLDERS }, first,
				&found, &roles) < 0)
		return -ENOMEM;
	return futex_project_tasks(p, r, futex, first);
}

static const struct opt create_opts[] = {
	{ .name = "type",
	  .type = OPT_STRING,
	  .arg = "TYPE",
	  .offset = offsetof(struct create_args, type),
	  .help = "sem, mutex, cond or rwlock (needed)" },
	{ .name = "value",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, value),
	  .help = "sem: initial value (default 0)" },
	{ .name = "robust",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, robust),
	  .help = "mutex: who locks it next is told that its owner died" },
	{ .name = "recursive",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, recursive),
	  .help = "mutex: its owner may lock it again" },
	{ .name = "errorcheck",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, errorcheck),
	  .help = "mutex: locking it again is an error, and no deadlock" },
	{ .name = "priority-inherit",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, priority_inherit),
	  .help = "mutex: its owner gets the priority of who waits" },
	{ .name = "force",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, force),
	  .help = "even if the place is not all zeroes" },
};

const struct kind kind_futex = {
	.name = "futex",
	.aliases = (const char *const[]){ "mutex", "cond", "rwlock", "unnamed-sem", NULL },
	.alias_field = "type",
	.alias_values = (const char *const[]){ "mutex", "cond", "rwlock", "semaphore" },
	.groups = GROUP_SYNC,
	.title = "Process-shared mutex, condition, rwlock or unnamed semaphore",
	.identifier = "object in shared memory and offset",
	.handle = "address in a mapping",
	.persistence = "as long as the memory it lies in",
	.access = "whoever may map that memory",
	.source = "/proc/PID/task/TID/syscall, robust lists",
	.create_means = "pthread_mutex_init(3) and the like, inside an object in /dev/shm",
	.remove_means = "cleared, if nobody holds it or waits",
	.reference = "futex:posix-shm:/name+OFFSET, futex:PID@ADDRESS",
	.excludes = true,
	.schema = &schema,
	.sources = SOURCE_FUTEX | SOURCE_ROBUST | SOURCE_SHMTREE,
	.narrow = futex_narrow,
	.count = count,
	.project = project,
	.awaited = awaited,
	.resolve = futex_resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "OBJECT+OFFSET",
	.create = futex_create,
	.remove = futex_remove,
	.held = held,
};
