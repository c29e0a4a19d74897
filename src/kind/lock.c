/* SPDX-License-Identifier: MIT */
#include "kind/lock.h"

#include <errno.h>
#include <sys/sysmacros.h>

const char *const lock_mode_values[] = { "read", "write", NULL };

size_t lock_count(const struct snapshot *s)
{
	return held_count(s, OBJECT_LOCK) + s->locks.count;
}

const struct holding *lock_held(const struct snapshot *s, size_t i)
{
	return i < held_count(s, OBJECT_LOCK) ? object_holding(&s->holders, OBJECT_LOCK, i) : NULL;
}

struct lock lock_at(const struct snapshot *s, size_t i)
{
	const struct holding *first = lock_held(s, i);

	return first ? s->holders.locks.items[first->ino] :
		       (struct lock){ .line = s->locks.items[i - held_count(s, OBJECT_LOCK)].line };
}

bool lock_owns(const struct snapshot *s, size_t i, unsigned types)
{
	struct lock lock = lock_at(s, i);
	const struct proc_lock *line;

	if (!(types >> lock.line.type & 1))
		return false;
	if (lock_held(s, i))
		return true;
	line = &s->locks.items[i - held_count(s, OBJECT_LOCK)];
	/* Several lines may be of one lock. */
	return !line->gone && !lock_set_next(&s->holders.locks, &lock.line, NULL) &&
	       proc_locks_find(&s->locks, &lock.line) == line;
}

bool lock_has_range(enum lock_type type)
{
	return type == LOCK_POSIX || type == LOCK_OFD;
}

void lock_put_range(struct buf *b, const struct lock_line *line)
{
	buf_printf(b, "%llu-", (unsigned long long)line->start);
	if (line->end == LOCK_EOF)
		buf_puts(b, "EOF");
	else
		buf_printf(b, "%llu", (unsigned long long)line->end);
}

static void project_ref(struct record *r, size_t field, const struct lock *lock)
{
	_cleanup_(buf_free) struct buf ref = { 0 };

	buf_puts(&ref, r->schema->name);
	buf_putc(&ref, ':');
	if (lock->leads)
		buf_put_span(&ref, lock->path);
	else
		buf_printf(&ref, "%u:%u:%llu", major(lock->line.dev), minor(lock->line.dev),
			   (unsigned long long)lock->line.ino);
	if (lock_has_range(lock->line.type)) {
		buf_putc(&ref, ':');
		lock_put_range(&ref, &lock->line);
	}
	record_buf(r, field, &ref);
}

/* Who took it, where that is told: nobody in particular of an open file description, and not
 * whoever has no number in our PID namespace. */
static void project_locker(struct projector *p, struct record *r, const struct lock_fields *at,
			   const struct lock_line *line, const struct holding *first)
{
	const struct holders *h = &p->snapshot->holders;

	if (line->pid < 0)
		return;
	if (line->pid == 0) {
		record_unknown_why(r, at->locker, WHY_OTHER_PIDS);
		return;
	}
	record_u64(r, at->locker, (uint64_t)line->pid);
	if (!first) {
		record_pid(p, r, at->locker, (uint32_t)line->pid, p->snapshot->taken);
		return;
	}
	/* If it does not hold it any more, it may be another process of that number. */
	for (const struct holding *g = first; g; g = holding_next(h, g))
		if (holding_holder(h, g)->pid == (uint32_t)line->pid) {
			record_str(r, at->command, holding_holder(h, g)->command);
			break;
		}
}

/* The mode of a lease that is being broken is what it is to become. */
static void project_mode(struct record *r, size_t field, const struct lock_line *line)
{
	if (!line->breaking)
		record_text(r, field, lock_mode_values[line->write]);
	else if (!line->none)
		record_text(r, field, "write");
}

/* What was never in a directory has not been deleted either: a pipe, memory. */
static bool has_path(struct span path)
{
	return span_starts(path, "/") && !span_starts(path, "/memfd:");
}

int lock_project(struct projector *p, size_t i, struct record *r, const struct lock_fields *at)
{
	static const struct holding_roles roles = { "holder", "holder", "holder", NULL, NULL };
	const struct holding *first = lock_held(p->snapshot, i);
	struct lock lock = lock_at(p->snapshot, i);
	struct holding_count found;

	if (held_project(p, r, &at->held, first, &roles, &found) < 0)
		return -ENOMEM;
	if (wants(p->want, at->held.ref))
		project_ref(r, at->held.ref, &lock);
	if (lock.path.len > 0)
		record_str(r, at->path, lock.path);
	else
		record_unknown_why(r, at->path, lock.looked ? WHY_TOO_LONG : WHY_NO_NAME);
	if (lock.looked && has_path(lock.path))
		record_bool(r, at->deleted, lock.deleted);
	else if (!lock.looked)
		record_unknown_why(r, at->deleted, WHY_NO_NAME);
	record_device(r, at->device, lock.line.dev);
	record_u64(r, at->inode, lock.line.ino);
	project_mode(r, at->lock_mode, &lock.line);
	if (wants_any(p->want, at->locker, at->command))
		project_locker(p, r, at, &lock.line, first);
	return wants_any(p->want, at->waiters, at->waiting) ? lock_project_waiters(p, r, at, &lock) : 0;
}
