/* SPDX-License-Identifier: MIT */
#include "kind/futex_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	WAITER_PID,
	WAITER_START,
	WAITER_COMMAND,
	WAITER_USER,
	WAITER_TID,
	WAITER_ADDRESS,
	WAITER_OPERATION,
	WAITER_STOPPED,
};

static const char *const operation_values[] = {
	[0] = "wait",
	[FUTEX_OP_WAIT_BITSET - FUTEX_OP_WAIT] = "wait-bitset",
	[FUTEX_OP_LOCK_PI - FUTEX_OP_WAIT] = "lock-pi",
	[FUTEX_OP_REQUEUE_PI - FUTEX_OP_WAIT] = "requeue-pi",
	[FUTEX_OP_WAITV - FUTEX_OP_WAIT] = "waitv",
	[FUTEX_OP_WAIT2 - FUTEX_OP_WAIT] = "wait2",
	NULL,
};

static const struct field waiter_fields[] = {
	[WAITER_PID] = { .name = "pid", .type = FIELD_PID, .help = "process" },
	[WAITER_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[WAITER_COMMAND] = { .name = "command",
			     .type = FIELD_STR,
			     .flags = FIELD_SHRINK,
			     .help = "its command" },
	[WAITER_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[WAITER_TID] = { .name = "tid", .type = FIELD_PID, .help = "the thread that waits" },
	[WAITER_ADDRESS] = { .name = "address",
			     .type = FIELD_STR,
			     .help = "of the word that it waits on, in that process" },
	[WAITER_OPERATION] = { .name = "operation",
			       .type = FIELD_STR,
			       .values = operation_values,
			       .help = "how it waits" },
	[WAITER_STOPPED] = { .name = "stopped",
			     .type = FIELD_BOOL,
			     .help = "it is stopped, and will go on waiting when it is continued" },
};

const struct schema futex_waiter_schema = { "waiting", waiter_fields, ARRAY_SIZE(waiter_fields) };

int futex_waiters_unknown(const struct snapshot *s, const struct futex *futex)
{
	if (!s->futexes.complete)
		return EPERM;
	if (futex->unclear)
		return WHY_NOT_UNDERSTOOD;
	/* Whoever is out of sight may wait, too; but as with holders, those who are found count. */
	return futex->nwaiters > 0 || !s->holders.hidden ? 0 : WHY_NOT_LOOKED;
}

/* The effective user of a process: its directory is always his. 0 or -errno. */
static int user_of(const struct scan_context *context, uint32_t pid, uint32_t *uid)
{
	struct stat st;
	char path[12];

	snprintf(path, sizeof(path), "%u", pid);
	if (fstatat(context->proc, path, &st, 0) < 0)
		return -errno;
	*uid = st.st_uid;
	return 0;
}

/* What takes a look at the process and at the thread. */
static int add_details(struct projector *p, struct record *row, const struct futex_waiter *w)
{
	const struct scan_context *context = p->snapshot->context;
	const struct process *process = process_get(&p->processes, context, w->pid);
	struct span user;
	uint32_t uid = 0;
	char state;
	int e;

	if (!process)
		return -ENOMEM;
	if (process->error == 0) {
		record_i64(row, WAITER_START, process->start);
		record_str(row, WAITER_COMMAND, process->command);
	}
	if (user_of(context, w->pid, &uid) == 0 && users_uid_name(&p->users, uid, &user) == 0)
		record_str(row, WAITER_USER, user);
	e = task_state(context, w->pid, w->tid, &state);
	if (e == 0)
		record_bool(row, WAITER_STOPPED, state == 'T' || state == 't');
	else if (e != -ENOENT)
		record_unknown(row, WAITER_STOPPED, e);
	return 0;
}

static int add_waiter(struct projector *p, struct record *r, struct list *list, const struct futex_waiter *w)
{
	struct record row;

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, WAITER_PID, w->pid);
	record_u64(&row, WAITER_TID, w->tid);
	record_printf(&row, WAITER_ADDRESS, "%llx", (unsigned long long)w->address);
	record_text(&row, WAITER_OPERATION, operation_values[w->operation - FUTEX_OP_WAIT]);
	return p->brief ? 0 : add_details(p, &row, w);
}

static int project_waiters(struct projector *p, struct record *r, const struct futex *futex)
{
	int unknown = futex_waiters_unknown(p->snapshot, futex);
	struct list *list;

	if (unknown == WHY_NOT_LOOKED) {
		/* The walk has said so already. */
		record_unknown_why(r, FUTEX_WAITERS, WHY_TOLD);
	} else if (unknown) {
		if (unknown > 0)
			record_unknown(r, FUTEX_WAITERS, unknown);
		else
			record_unknown_why(r, FUTEX_WAITERS, (enum why)unknown);
	} else {
		record_u64(r, FUTEX_WAITERS, futex->nwaiters);
	}
	if (!wants(p->want, FUTEX_WAITING))
		return 0;
	if (unknown && futex->nwaiters == 0) {
		record_unknown_why(r, FUTEX_WAITING, WHY_TOLD);
		return 0;
	}
	list = record_list(r, FUTEX_WAITING);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < futex->nwaiters; i++)
		if (add_waiter(p, r, list, &p->snapshot->futexes.waiters[futex->first + i]) < 0)
			return -ENOMEM;
	return 0;
}

static void project_owner(struct projector *p, struct record *r, const struct futex *futex,
			  const struct futex_owner *owner)
{
	const struct futex_decoded *d = &futex->decoded;

	if (d->type == FUTEX_MUTEX && d->owner_died)
		record_bool(r, FUTEX_OWNER_DEAD, true);
	if (owner->state == OWNER_NONE)
		return;
	record_u64(r, FUTEX_OWNER_NUMBER, d->owner);
	if (owner->state == OWNER_ALIVE) {
		const struct process *process =
			p->brief ? NULL : process_get(&p->processes, p->snapshot->context, owner->pid);

		record_u64(r, FUTEX_OWNER_PID, owner->pid);
		record_u64(r, FUTEX_OWNER_TID, owner->tid);
		if (process && process->error == 0)
			record_str(r, FUTEX_OWNER_COMMAND, process->command);
		else if (process && process->error != -ENOENT)
			record_unknown(r, FUTEX_OWNER_COMMAND, process->error);
		record_bool(r, FUTEX_OWNER_DEAD, false);
	} else if (owner->state == OWNER_DEAD) {
		record_bool(r, FUTEX_OWNER_DEAD, true);
	} else {
		/* Of those out of sight the walk has told: WHY_TOLD. */
		record_unknown(r, FUTEX_OWNER_PID, owner->error);
		record_unknown(r, FUTEX_OWNER_TID, owner->error);
		if (!d->owner_died)
			record_unknown(r, FUTEX_OWNER_DEAD, owner->error);
	}
}

/* ", 3 wait": of none nothing is said, for who is out of sight is not counted. */
struct waiting {
	char text[48];
};

static struct waiting waiting(const struct futex *futex, const char *more)
{
	struct waiting w = { "" };

	if (futex->nwaiters > 0)
		snprintf(w.text, sizeof(w.text), ", %zu wait%s%s", futex->nwaiters,
			 futex->nwaiters == 1 ? "s" : "", more);
	return w;
}

/* Of a lock that is held. */
static void project_locked_state(struct projector *p, struct record *r, const struct futex *futex,
				 const struct futex_owner *owner)
{
	if (owner->state == OWNER_DEAD && !futex->decoded.robust)
		record_state(p, r, FUTEX_STATE, "orphaned", FUTEX_REASON, "owner %u is dead%s",
			     futex->decoded.owner, waiting(futex, " for ever").text);
	else if (owner->state == OWNER_DEAD)
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON,
			     "owner %u is dead; the next locker recovers it", futex->decoded.owner);
	else if (owner->state == OWNER_ALIVE)
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON, "locked by process %u%s", owner->pid,
			     waiting(futex, "").text);
	else if (futex->nwaiters > 0)
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON, "locked%s", waiting(futex, "").text);
	else
		record_state(p, r, FUTEX_STATE, "unknown", FUTEX_REASON, "locked, and by whom is not known");
}

static void project_state(struct projector *p, struct record *r, const struct futex *futex,
			  const struct futex_owner *owner, const struct holding *first)
{
	const struct futex_decoded *d = &futex->decoded;
	size_t n = futex->nwaiters;
	struct holding_count found;

	if (d->owner_died && d->robust) {
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON,
			     "its owner died; the next locker recovers it");
	} else if (d->owner_died) {
		record_state(p, r, FUTEX_STATE, "orphaned", FUTEX_REASON, "its owner died%s",
			     waiting(futex, " for ever").text);
	} else if (owner->state != OWNER_NONE || (d->locked && n == 0 && d->readers == 0)) {
		project_locked_state(p, r, futex, owner);
	} else if (d->readers > 0) {
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON, "%u reader%s%s", d->readers,
			     plural(d->readers), waiting(futex, "").text);
	} else if (n > 0) {
		record_state(p, r, FUTEX_STATE, "in-use", FUTEX_REASON, "%zu task%s wait%s", n, plural(n),
			     n == 1 ? "s" : "");
	} else {
		found = holding_count_from(p, first);
		record_held_state(p, r, FUTEX_STATE, FUTEX_REASON, false, &found);
	}
}

int futex_project_tasks(struct projector *p, struct record *r, const struct futex *futex,
			const struct holding *first)
{
	if (wants_any(p->want, FUTEX_OWNER_PID, FUTEX_OWNER_DEAD))
		project_owner(p, r, futex, &futex->owner);
	if (wants_any(p->want, FUTEX_STATE, FUTEX_REASON))
		project_state(p, r, futex, &futex->owner, first);
	return wants_any(p->want, FUTEX_WAITERS, FUTEX_WAITING) ? project_waiters(p, r, futex) : 0;
}
