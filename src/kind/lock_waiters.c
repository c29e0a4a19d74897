/* SPDX-License-Identifier: MIT */
/* Who waits for a lock. */
#include <errno.h>

#include "kind/lock.h"

enum {
	WAITER_PID,
	WAITER_START,
	WAITER_COMMAND,
	WAITER_USER,
	WAITER_TID,
	WAITER_MODE,
	WAITER_RANGE,
	WAITER_BLOCKER,
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
	[WAITER_MODE] = { .name = "lock_mode",
			  .type = FIELD_STR,
			  .values = lock_mode_values,
			  .help = "what it wants" },
	[WAITER_RANGE] = { .name = "range", .type = FIELD_STR, .help = "of which bytes" },
	[WAITER_BLOCKER] = { .name = "blocked_by",
			     .type = FIELD_PID,
			     .help = "process that it waits for: it has the lock, or waits before it" },
};

const struct schema lock_waiter_schema = { "waiting", waiter_fields, ARRAY_SIZE(waiter_fields) };

/* One that waits, from whichever source. */
struct waiter {
	uint32_t pid, tid; /* 0: not known */
	int64_t blocker;   /* pid, or not positive: not told */
	bool wants_known;  /* the next two: */
	bool write;
	const struct lock_line *range; /* or NULL: there is none */
};

/* The waiters of a lock under way. */
struct waiting {
	struct projector *p;
	struct record *r;
	struct list *list; /* or NULL: only their number is wanted */
	uint64_t count;
};

/* Its process. 0 or -ENOMEM. */
static int record_process(struct projector *p, struct record *row, uint32_t pid)
{
	const struct process *process;

	record_u64(row, WAITER_PID, pid);
	if (p->brief)
		return 0;
	process = process_get(&p->processes, p->snapshot->context, pid);
	if (!process)
		return -ENOMEM;
	if (process->error < 0)
		return 0;
	record_i64(row, WAITER_START, process->start);
	record_str(row, WAITER_COMMAND, process->command);
	record_row_user(p, row, WAITER_USER, process->uid);
	return 0;
}

static int add(struct waiting *waiting, const struct waiter *w)
{
	_cleanup_(buf_free) struct buf range = { 0 };
	struct record row;

	waiting->count++;
	if (!waiting->list)
		return 0;
	if (list_append(waiting->r, waiting->list, &row) < 0)
		return -ENOMEM;
	if (w->wants_known) {
		record_text(&row, WAITER_MODE, lock_mode_values[w->write]);
		if (w->range) {
			lock_put_range(&range, w->range);
			record_buf(&row, WAITER_RANGE, &range);
		}
	} else {
		record_unknown(&row, WAITER_MODE, ENOTSUP);
		record_unknown(&row, WAITER_RANGE, ENOTSUP);
	}
	if (w->blocker > 0)
		record_u64(&row, WAITER_BLOCKER, (uint64_t)w->blocker);
	if (w->tid)
		record_u64(&row, WAITER_TID, w->tid);
	if (w->pid)
		return record_process(waiting->p, &row, w->pid);
	record_unknown_why(&row, WAITER_PID, WHY_OTHER_PIDS);
	return 0;
}

/* A row of /proc/locks, with the thread that it is of, if that still waits. */
static int add_row(struct waiting *waiting, const struct proc_lock *lock, const struct lock_waiter *row)
{
	const struct snapshot *s = waiting->p->snapshot;
	const struct lock_line *ahead =
		row->ahead == NO_WAITER ? &lock->line : &s->locks.waiters[row->ahead].line;
	const struct lock_wait *wait = row->wait == NO_WAITER ? NULL : &s->lock_waits.items[row->wait];
	struct waiter w = {
		.pid = wait		 ? wait->pid :
		       row->line.pid > 0 ? (uint32_t)row->line.pid :
					   0,
		.tid = wait ? wait->tid : 0,
		.blocker = ahead->pid,
		.wants_known = true,
		.write = row->line.write,
		.range = lock_has_range(row->line.type) ? &row->line : NULL,
	};

	return add(waiting, &w);
}

/* A task that no row is of. */
static int add_task(struct waiting *waiting, const struct lock_line *held, const struct lock_wait *wait)
{
	struct waiter w = {
		.pid = wait->pid,
		.tid = wait->tid,
		.blocker = held->pid,
		.wants_known = wait->range_known,
		.write = wait->wanted.write,
		.range = lock_has_range(wait->wanted.type) ? &wait->wanted : NULL,
	};

	return add(waiting, &w);
}

/* Whether the lock may be what a task waits for: nobody waits for his own process's. */
static bool may_block(const struct lock_line *held, const struct lock_wait *wait)
{
	if (held->type == LOCK_POSIX && wait->wanted.type == LOCK_POSIX && held->pid == wait->pid)
		return false;
	return wait->range_known ? lock_conflicts(held, &wait->wanted) :
				   lock_has_range(held->type) == lock_has_range(wait->wanted.type);
}

static int add_all(struct waiting *waiting, const struct lock *lock)
{
	const struct snapshot *s = waiting->p->snapshot;
	const struct lock_wait *wait = NULL;
	int r = 0;

	for (const struct proc_lock *l = proc_locks_find(&s->locks, &lock->line); l;
	     l = proc_locks_next(&s->locks, l))
		for (uint32_t i = 0; r == 0 && i < l->count; i++)
			r = add_row(waiting, l, &s->locks.waiters[l->first + i]);
	while (r == 0 && lock->looked &&
	       (wait = lock_waits_next(&s->lock_waits, lock->file_dev, lock->file_ino, wait)) != NULL)
		if (!wait->listed && may_block(&lock->line, wait))
			r = add_task(waiting, &lock->line, wait);
	return r;
}

/* A lease is waited for in open(2), and that breaks it. */
static int add_openers(struct waiting *waiting, const struct lock *lock)
{
	const struct openers *openers = &waiting->p->snapshot->openers;
	struct object_key file = { OBJECT_FILE, lock->file_dev, lock->file_ino };
	int r = 0;

	for (const struct opener *o = NULL;
	     r == 0 && lock->looked && (o = openers_next(openers, &file, o)) != NULL;)
		r = add(waiting, &(struct waiter){ .pid = o->pid,
						   .tid = o->tid,
						   .blocker = lock->line.pid,
						   .wants_known = true,
						   .write = (o->access & ACCESS_WRITE) != 0 });
	return r;
}

/* Whether all of them were found: the kernel's own list has those of every PID namespace. */
static bool knows_all(const struct snapshot *s, const struct lock *lock, uint64_t found)
{
	bool in_sight = found > 0 || !s->tasks.hidden;

	if (lock->line.type == LOCK_LEASE)
		return !lock->line.breaking ||
		       (s->openers.looked && s->openers.complete && lock->looked && in_sight);
	if (proc_locks_find(&s->locks, &lock->line) || s->locks.all)
		return true;
	return s->lock_waits.looked && s->lock_waits.complete && lock->looked && in_sight;
}

int lock_project_waiters(struct projector *p, struct record *r, const struct lock_fields *at,
			 const struct lock *lock)
{
	struct waiting waiting = { .p = p, .r = r };
	bool known;
	int e;

	if (wants(p->want, at->waiting)) {
		waiting.list = record_list(r, at->waiting);
		if (!waiting.list)
			return -ENOMEM;
	}
	e = lock->line.type != LOCK_LEASE ? add_all(&waiting, lock) :
	    lock->line.breaking		  ? add_openers(&waiting, lock) :
					    0;
	if (e < 0)
		return e;
	known = knows_all(p->snapshot, lock, waiting.count);
	if (known)
		record_u64(r, at->waiters, waiting.count);
	else
		record_unknown_why(r, at->waiters, WHY_TOLD);
	if (!known && waiting.count == 0)
		record_unknown_why(r, at->waiting, WHY_TOLD);
	return 0;
}
