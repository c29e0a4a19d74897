/* SPDX-License-Identifier: MIT */
/* System V semaphore sets: semget(2), semop(2), semctl(2). */
#include <errno.h>

#include "kind/registry.h"
#include "kind/sysv.h"
#include "kind/sysv_sem_create.h"
#include "kind/sysv_verdict.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"
#include "scan/sysv_abi.h"

enum {
	SEM_NSEMS = SYSV_NEXT,
	SEM_OTIME,
	SEM_CTIME,
	SEM_AGE,
	SEM_STATE,
	SEM_REASON,
	SEM_EVIDENCE,
	SEM_WAITERS,
	SEM_WAITING,
	SEM_UNSEEN,
	SEM_SEMAPHORES,
};

enum { ONE_INDEX, ONE_VALUE, ONE_PID, ONE_PID_COMMAND, ONE_NCOUNT, ONE_ZCOUNT };

static const struct field semaphore_fields[] = {
	[ONE_INDEX] = { .name = "index", .type = FIELD_U64, .help = "number within the set, from 0" },
	[ONE_VALUE] = { .name = "value", .type = FIELD_U64, .help = "its value" },
	[ONE_PID] = { .name = "pid", .type = FIELD_PID, .help = "process that changed it last" },
	[ONE_PID_COMMAND] = { .name = "pid_command",
			      .type = FIELD_STR,
			      .help = "its command, if it is alive" },
	[ONE_NCOUNT] = { .name = "ncount", .type = FIELD_U64, .help = "tasks that wait for it to grow" },
	[ONE_ZCOUNT] = { .name = "zcount",
			 .type = FIELD_U64,
			 .help = "tasks that wait for it to become zero" },
};

static const struct schema semaphore_schema = { "semaphores", semaphore_fields,
						ARRAY_SIZE(semaphore_fields) };

static const struct field fields[] = {
	SYSV_HEAD_FIELDS("sysv-sem"),
	[SEM_NSEMS] = { .name = "nsems",
			.type = FIELD_U64,
			.flags = FIELD_DEFAULT | FIELD_GAUGE | FIELD_IDENTITY,
			.help = "semaphores in the set" },
	[SEM_OTIME] = { .name = "otime",
			.type = FIELD_TIME,
			.flags = FIELD_DEFAULT,
			.help = "last semop(2)" },
	[SEM_CTIME] = { .name = "ctime", .type = FIELD_TIME, .help = "creation or last change by semctl(2)" },
	[SEM_AGE] = COMMON_AGE,
	[SEM_STATE] = COMMON_STATE,
	[SEM_REASON] = COMMON_REASON,
	[SEM_EVIDENCE] = COMMON_EVIDENCE,
	[SEM_WAITERS] = { .name = "waiters",
			  .type = FIELD_U64,
			  .flags = FIELD_ON_DEMAND | FIELD_GAUGE,
			  .help = "tasks blocked on it, as the kernel counts them" },
	[SEM_WAITING] = COMMON_WAITING,
	[SEM_UNSEEN] = COMMON_UNSEEN_WAITERS(SOURCE_BLOCKED),
	[SEM_SEMAPHORES] = { .name = "semaphores",
			     .type = FIELD_LIST,
			     .flags = FIELD_ON_DEMAND,
			     .items = &semaphore_schema,
			     .help = "each semaphore: value, last process, tasks that wait" },
	WHEREABOUTS_IPC_ALONE,
};

static const struct schema schema = { "sysv-sem", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->sysv[SYSV_SEM].count;
}

static bool is_gone(int error)
{
	return error == EINVAL || error == EIDRM;
}

/* One number of one semaphore, or unknown. 0, or PROJECT_SKIP if the set is gone. */
static int ask(struct record *row, size_t field, int id, int index, int command)
{
	int v = semctl(id, index, command);

	if (v < 0 && is_gone(errno))
		return PROJECT_SKIP;
	if (v < 0)
		record_unknown(row, field, errno);
	else
		record_u64(row, field, (uint64_t)v);
	return 0;
}

static int project_one(struct projector *p, struct record *r, struct list *list, int id, uint16_t value,
		       size_t i)
{
	struct fieldset outer = p->want;
	struct record row;
	int pid;

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, ONE_INDEX, i);
	record_u64(&row, ONE_VALUE, value);
	if (ask(&row, ONE_NCOUNT, id, (int)i, GETNCNT) || ask(&row, ONE_ZCOUNT, id, (int)i, GETZCNT))
		return PROJECT_SKIP;
	pid = semctl(id, (int)i, GETPID);
	if (pid < 0 && is_gone(errno))
		return PROJECT_SKIP;
	if (pid < 0) {
		record_unknown(&row, ONE_PID, errno);
		return 0;
	}
	p->want = schema_set(&semaphore_schema, 0);
	record_pid(p, &row, ONE_PID, (uint32_t)pid, INT64_MAX);
	p->want = outer;
	return 0;
}

/* All tasks that wait; not known if that of one semaphore is not. */
static uint64_t count_waiters(const struct list *list, bool *known)
{
	uint64_t total = 0;
	struct record row;

	*known = true;
	for (size_t i = 0; i < list->count; i++) {
		list_row(list, i, &row);
		for (size_t f = ONE_NCOUNT; f <= ONE_ZCOUNT; f++) {
			*known &= row.values[f].state == VALUE_SET;
			total += row.values[f].state == VALUE_SET ? row.values[f].u64 : 0;
		}
	}
	return total;
}

/* The semaphores themselves: needs read permission. */
static int project_semaphores(struct projector *p, const struct sysv_sem_row *row, struct record *r)
{
	_cleanup_(free_ptr) unsigned short *values = NULL;
	int id = (int)row->perm.id;
	struct semid_ds ds = { 0 };
	struct list *list;
	uint64_t waiters;
	bool known;

	if (!p->snapshot->context->own_proc) {
		record_unknown_why(r, SEM_SEMAPHORES, WHY_OTHER_SYSTEM);
		record_unknown_why(r, SEM_WAITERS, WHY_OTHER_SYSTEM);
		return 0;
	}
	/* The id may be somebody else's by now, with another number of semaphores:
	 * GETALL writes as many as there are. An id keeps its set's size. */
	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0) {
		record_unknown(r, SEM_SEMAPHORES, errno);
		record_unknown(r, SEM_WAITERS, errno);
		return is_gone(errno) ? PROJECT_SKIP : 0;
	}
	values = calloc(ds.sem_nsems + 1, sizeof(*values));
	list = record_list(r, SEM_SEMAPHORES);
	if (!values || !list)
		return -ENOMEM;
	if (semctl(id, 0, GETALL, (union semun){ .array = values }) < 0) {
		if (is_gone(errno))
			/* cppcheck-suppress memleak ; it does not see _cleanup_ */
			return PROJECT_SKIP;
		record_unknown(r, SEM_SEMAPHORES, errno);
		record_unknown(r, SEM_WAITERS, errno);
		/* cppcheck-suppress memleak */
		return 0;
	}
	for (size_t i = 0; i < ds.sem_nsems; i++) {
		int e = project_one(p, r, list, id, values[i], i);

		if (e)
			return e;
	}
	waiters = count_waiters(list, &known);
	if (known)
		record_u64(r, SEM_WAITERS, waiters);
	else
		record_unknown(r, SEM_WAITERS, EACCES);
	return 0;
}

/* The kernel counts those who wait, whoever they are; some of them may be out of our sight. */
static int project_waiting(struct projector *p, const struct sysv_sem_row *row, struct record *r)
{
	const struct object_key key = { OBJECT_SYSV_SEM, 0, sysv_number(p->snapshot->ipcns, row->perm.id) };
	const struct value *count = &r->values[SEM_WAITERS];
	const struct blocked *b = NULL;
	uint64_t found = 0;
	int e = record_waiting_list(p, r, SEM_WAITING, &key);

	if (e == 0 && count->state == VALUE_SET && count->u64 > 0 &&
	    !blocked_next(&p->snapshot->blocked, &key, NULL))
		record_unknown_why(r, SEM_WAITING, WHY_TOLD);
	/* None, as the kernel knows for sure. */
	if (e == 0 && count->state == VALUE_SET && count->u64 == 0 && wants(p->want, SEM_WAITING))
		e = record_list(r, SEM_WAITING) ? 0 : -ENOMEM;
	while ((b = blocked_next(&p->snapshot->blocked, &key, b)) != NULL)
		found++;
	record_unseen(p, r, SEM_UNSEEN, SEM_WAITERS, found, p->snapshot->blocked.looked);
	return e;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct verdict_fields state_fields = { SEM_STATE, SEM_REASON, SEM_EVIDENCE };
	const struct sysv_sem_row *row = sysv_sem_at(&p->snapshot->sysv[SYSV_SEM], i);
	int e = 0;

	sysv_project(p, r, &row->perm);
	record_u64(r, SEM_NSEMS, row->nsems);
	record_time(r, SEM_OTIME, row->otime);
	record_time(r, SEM_CTIME, row->ctime);
	record_age(p, r, SEM_AGE, newer(row->otime, row->ctime));
	if (wants_verdict(p, &state_fields))
		e = sysv_sem_judge(p, row, r, &state_fields);
	if (e == 0 &&
	    (wants(p->want, SEM_WAITERS) || wants(p->want, SEM_UNSEEN) || wants(p->want, SEM_SEMAPHORES)))
		e = project_semaphores(p, row, r);
	return e ? e : project_waiting(p, row, r);
}

/* The values, and who changed them, semctl(2) alone tells. */
static bool enters(const struct projector *p, const struct snapshot *view)
{
	return wants(p->want, SEM_WAITERS) || wants(p->want, SEM_UNSEEN) || wants(p->want, SEM_SEMAPHORES) ||
	       (!view->depth.no_processes &&
		(wants_any(p->want, SEM_STATE, SEM_REASON) || wants(p->want, SEM_EVIDENCE)));
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return sysv_resolve(&s->sysv[SYSV_SEM], id, m, report);
}

static int remove_set(struct snapshot *s, size_t i, struct report *report)
{
	const struct sysv_sem_row *row = sysv_sem_at(&s->sysv[SYSV_SEM], i);
	int id = (int)row->perm.id;
	struct semid_ds ds = { 0 };
	int r = semctl(id, 0, SEM_STAT_ANY, (union semun){ .buf = &ds });
	long waiters = 0;

	/* It looks only at the slot, and answers with the id that is there. */
	if (r < 0)
		return sysv_removed(r);
	if (r != id)
		return -ENOENT;
	if (sysv_compare(&ds.sem_perm, &row->perm) < 0 || ds.sem_nsems != row->nsems)
		return -ESTALE;
	for (int sem = 0; sem < (int)row->nsems; sem++) {
		int n = semctl(id, sem, GETNCNT), z = semctl(id, sem, GETZCNT);

		waiters += (n > 0 ? n : 0) + (z > 0 ? z : 0);
	}
	r = sysv_removed(semctl(id, 0, IPC_RMID));
	if (r == 0 && waiters > 0)
		report_text(report, "%ld blocked task%s woken with EIDRM", waiters,
			    plural((uint64_t)waiters));
	return r;
}

static void limit_semmni(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/sem", 3, &out->limit);
	out->used = value_u64(count(s));
}

static void limit_semmns(struct snapshot *s, struct limit_value *out)
{
	uint64_t total = 0;

	limit_sysctl(s, "sys/kernel/sem", 1, &out->limit);
	for (size_t i = 0; i < count(s); i++)
		total += sysv_sem_at(&s->sysv[SYSV_SEM], i)->nsems;
	out->used = value_u64(total);
}

static void limit_semmsl(struct snapshot *s, struct limit_value *out)
{
	uint64_t largest = 0;

	limit_sysctl(s, "sys/kernel/sem", 0, &out->limit);
	for (size_t i = 0; i < count(s); i++)
		if (sysv_sem_at(&s->sysv[SYSV_SEM], i)->nsems > largest)
			largest = sysv_sem_at(&s->sysv[SYSV_SEM], i)->nsems;
	out->used = value_u64(largest);
}

static void limit_semopm(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/sem", 2, &out->limit);
}

static void limit_semvmx(struct snapshot *s _unused_, struct limit_value *out)
{
	out->limit = value_u64(SYSV_SEM_VALUE_MAX);
}

static const struct limit limits[] = {
	{ "semmni", FIELD_U64, "sets in the IPC namespace", "kernel.sem (4th)", "semget: ENOSPC", true,
	  SOURCE_SYSV_SEM, limit_semmni },
	{ "semmns", FIELD_U64, "semaphores of all sets in the IPC namespace", "kernel.sem (2nd)",
	  "semget: ENOSPC", true, SOURCE_SYSV_SEM, limit_semmns },
	{ "semmsl", FIELD_U64, "semaphores of one set (used: the largest)", "kernel.sem (1st)",
	  "semget: EINVAL", false, SOURCE_SYSV_SEM, limit_semmsl },
	{ "semopm", FIELD_U64, "operations of one call", "kernel.sem (3rd)", "semop: E2BIG", false, 0,
	  limit_semopm },
	{ "semvmx", FIELD_U64, "value of one semaphore", "built in", "semop: ERANGE", false, 0,
	  limit_semvmx },
};

static const struct trace traces[] = {
	{ .list = "semaphores", .field = "pid", .access = "read-write", .role = "changed last" },
	{ 0 },
};

const struct kind kind_sysv_sem = {
	.name = "sysv-sem",
	.groups = GROUP_SYSV | GROUP_PERSISTENT,
	.letter = 's',
	.key_letter = 'S',
	.key_option = "sysv-sem-key",
	.title = "System V semaphore set",
	.identifier = "key (32 bits) or id",
	.handle = "id",
	.persistence = "until removed or reboot",
	.access = "mode, owner and creator; CAP_IPC_OWNER",
	.source = "/proc/sysvipc/sem, semctl(2)",
	.create_means = "semget(2)",
	.remove_means = "IPC_RMID; blocked tasks wake with EIDRM",
	.reference = "sysv-sem:ID, sysv-sem:key=KEY",
	.excludes = true,
	.schema = &schema,
	.sources = SOURCE_SYSV_SEM,
	.namespace = "ipcns",
	.numbered = true,
	.enters = enters,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = sysv_sem_create_opts,
	.ncreate_opts = SYSV_SEM_NCREATE_OPTS,
	.create = sysv_sem_create,
	.remove = remove_set,
	.reclaim = sysv_sem_reclaim,
	.unlisted = true,
	.traces = traces,
	.shown_by = CAPABILITY(CAP_IPC_OWNER),
	.remover = CAP_SYS_ADMIN,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
