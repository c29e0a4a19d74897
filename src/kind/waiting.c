/* SPDX-License-Identifier: MIT */
#include "kind/waiting.h"

#include <errno.h>

#include "scan/futex_owner.h"

enum {
	WAITING_PID,
	WAITING_START,
	WAITING_COMMAND,
	WAITING_USER,
	WAITING_TID,
	WAITING_FD,
	WAITING_CALL,
	WAITING_OPERATION,
	WAITING_BLOCKER,
};

static const struct field fields[] = {
	[WAITING_PID] = { .name = "pid", .type = FIELD_PID, .help = "process" },
	[WAITING_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[WAITING_COMMAND] = { .name = "command",
			      .type = FIELD_STR,
			      .flags = FIELD_SHRINK,
			      .help = "its command" },
	[WAITING_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[WAITING_TID] = { .name = "tid", .type = FIELD_PID, .help = "the thread that waits" },
	[WAITING_FD] = { .name = "fd", .type = FIELD_U64, .help = "its descriptor; absent: it has none" },
	[WAITING_CALL] = { .name = "call", .type = FIELD_STR, .help = "system call that it is blocked in" },
	[WAITING_OPERATION] = { .name = "operation",
				.type = FIELD_STR,
				.help = "what that is to do, where the call says more" },
	[WAITING_BLOCKER] = { .name = "blocked_by",
			      .type = FIELD_PID,
			      .help = "semop(2): process that changed that semaphore last" },
};

const struct schema waiting_schema = { "waiting", fields, ARRAY_SIZE(fields) };

static int add_process(struct projector *p, struct record *row, uint32_t pid)
{
	const struct process *process = process_get(&p->processes, p->snapshot->context, pid);

	if (!process)
		return -ENOMEM;
	if (process->error < 0)
		return 0;
	record_i64(row, WAITING_START, process->start);
	record_str(row, WAITING_COMMAND, process->command);
	record_row_user(p, row, WAITING_USER, process->uid);
	return 0;
}

static int add_row(struct projector *p, struct record *r, struct list *list, const struct blocked *b)
{
	struct record row;

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, WAITING_PID, b->pid);
	record_u64(&row, WAITING_TID, b->tid);
	if (b->fd >= 0)
		record_u64(&row, WAITING_FD, (uint64_t)b->fd);
	record_text(&row, WAITING_CALL, task_wait_name(b->wait));
	if (b->detail.len > 0)
		record_str(&row, WAITING_OPERATION, b->detail);
	if (b->blocker)
		record_u64(&row, WAITING_BLOCKER, b->blocker);
	return p->brief ? 0 : add_process(p, &row, b->pid);
}

/* Whether all that wait were found. Whoever is hidden may wait, too; but as with holders, those who
 * are found count. */
static bool found_all(const struct snapshot *s, uint64_t found)
{
	return s->blocked.looked && s->blocked.complete && (found > 0 || !s->tasks.hidden);
}

bool waiting_is_known(const struct projector *p, const struct object_key *key)
{
	return found_all(p->snapshot, blocked_next(&p->snapshot->blocked, key, NULL) ? 1 : 0);
}

int record_waiting_list(struct projector *p, struct record *r, size_t field, const struct object_key *key)
{
	const struct blocked_tasks *blocked = &p->snapshot->blocked;
	const struct blocked *b = NULL;
	struct list *list;

	if (!wants(p->want, field))
		return 0;
	if (!blocked->looked || (!blocked_next(blocked, key, NULL) && !found_all(p->snapshot, 0))) {
		record_unknown_why(r, field, WHY_TOLD);
		return 0;
	}
	list = record_list(r, field);
	if (!list)
		return -ENOMEM;
	while ((b = blocked_next(blocked, key, b)) != NULL)
		if (add_row(p, r, list, b) < 0)
			return -ENOMEM;
	return 0;
}

int record_waiting(struct projector *p, struct record *r, const struct waiting_fields *at,
		   const struct object_key *key)
{
	const struct blocked *b = NULL;
	uint64_t n = 0;

	if (wants(p->want, at->waiters)) {
		while ((b = blocked_next(&p->snapshot->blocked, key, b)) != NULL)
			n++;
		if (found_all(p->snapshot, n))
			record_u64(r, at->waiters, n);
		else
			record_unknown_why(r, at->waiters, WHY_TOLD);
	}
	return record_waiting_list(p, r, at->waiting, key);
}

static int add_futex_waiters(struct projector *p, struct record *r, struct list *list,
			     const struct futex *futex)
{
	const struct snapshot *s = p->snapshot;
	int e = 0;

	for (size_t i = 0; e == 0 && i < futex->nwaiters; i++) {
		const struct futex_waiter *w = &s->futexes.waiters[futex->first + i];
		const struct task *task = tasks_find(&s->tasks, w->pid, w->tid);
		struct record row;

		if (list_append(r, list, &row) < 0)
			return -ENOMEM;
		record_u64(&row, WAITING_PID, w->pid);
		record_u64(&row, WAITING_TID, w->tid);
		record_text(&row, WAITING_CALL, task_wait_name(task ? task->wait : WAIT_FUTEX));
		e = p->brief ? 0 : add_process(p, &row, w->pid);
	}
	return e;
}

int record_futex_waiting(struct projector *p, struct record *r, size_t field,
			 const struct memory_object *object, uint64_t *found, bool *asked)
{
	const struct snapshot *s = p->snapshot;
	const struct futexes *f = &s->futexes;
	const struct futex *items;
	struct list *list;
	size_t count;
	int e = 0;

	*found = 0;
	items = futexes_of(f, object, &count);
	for (size_t i = 0; i < count; i++)
		*found += items[i].nwaiters;
	*asked = f->looked && f->complete && !futex_waits_unclear(s, object);
	if (!wants(p->want, field))
		return 0;
	if (*found == 0 && (!*asked || s->holders.hidden)) {
		record_unknown_why(r, field, WHY_TOLD);
		return 0;
	}
	list = record_list(r, field);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; e == 0 && i < count; i++)
		e = add_futex_waiters(p, r, list, &items[i]);
	return e;
}

void record_unseen(struct projector *p, struct record *r, size_t field, size_t waiters, uint64_t found,
		   bool known)
{
	const struct value *told = &r->values[waiters];

	if (!wants(p->want, field) || told->state == VALUE_ABSENT)
		return;
	if (told->state != VALUE_SET || !known)
		record_unknown_why(r, field, WHY_TOLD);
	else
		record_u64(r, field, told->u64 > found ? told->u64 - found : 0);
}
