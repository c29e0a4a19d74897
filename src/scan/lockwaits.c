/* SPDX-License-Identifier: MIT */
#include "scan/lockwaits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "lib/vec.h"
#include "scan/fdinfo.h"
#include "scan/memory.h"
#include "scan/visit.h"

#ifndef F_OFD_SETLKW
#define F_OFD_SETLKW 38 /* asm-generic/fcntl.h */
#endif
#ifdef F_SETLKW64
#define IS_SETLKW(command) ((command) == F_SETLKW || (command) == F_SETLKW64)
#else
#define IS_SETLKW(command) ((command) == F_SETLKW)
#endif

/* Where a range begins: offset of the file, from the descriptor. 0 or -errno. */
static int range_base(const struct scan_context *context, const struct task *task, int whence,
		      const struct statx *stx, int64_t *base)
{
	char table[40], name[12];
	struct fdinfo info;
	uint64_t position;
	int r;

	*base = 0;
	if (whence == SEEK_SET)
		return 0;
	if (whence == SEEK_END) {
		*base = (int64_t)stx->stx_size;
		return 0;
	}
	snprintf(table, sizeof(table), "%u/task/%u", task->pid, task->tid);
	snprintf(name, sizeof(name), "%d", (int)task->args[0]);
	r = fdinfo_read(&info, context->proc, table, name);
	if (r == 0)
		r = fdinfo_number(&info, "pos:", &position);
	if (r == 0)
		*base = (int64_t)position;
	return r;
}

/* The bytes that a struct flock is about (fcntl(2)). 0 or -EINVAL. */
static int set_range(struct lock_line *wanted, const struct flock *range, int64_t base)
{
	int64_t start, end = LOCK_EOF;

	if (__builtin_add_overflow(base, (int64_t)range->l_start, &start))
		return -EINVAL;
	if (range->l_len != 0 && (__builtin_add_overflow(start, (int64_t)range->l_len, &end) ||
				  __builtin_sub_overflow(end, 1, &end)))
		return -EINVAL;
	if (range->l_len < 0) {
		end = start - 1;
		start += range->l_len;
	}
	if (start < 0 || end < start)
		return -EINVAL;
	wanted->start = (uint64_t)start;
	wanted->end = (uint64_t)end;
	return 0;
}

/* What fcntl(2) was called with. 0 or -errno: then type and file alone are known. */
static int read_range(struct lock_wait *w, const struct scan_context *context, const struct task *task,
		      const struct statx *stx)
{
	struct flock range;
	int64_t base;
	int r = memory_read(context->proc, task->tid, task->args[2], &range, sizeof(range));

	w->wanted.type = IS_SETLKW((int)task->args[1]) ? LOCK_POSIX : LOCK_OFD;
	if (r == 0)
		r = range_base(context, task, range.l_whence, stx, &base);
	if (r == 0)
		r = set_range(&w->wanted, &range, base);
	if (r == 0)
		w->wanted.write = range.l_type == F_WRLCK;
	return r;
}

/* 0, -ENOENT: it is gone, or -errno. */
static int look_at(struct lock_wait *w, const struct scan_context *context, const struct task *task)
{
	struct object_key file;
	struct statx stx;
	char path[56];
	int r;

	*w = (struct lock_wait){ .pid = task->pid, .tid = task->tid, .next = NO_WAITER };
	if (task->flags & (TASK_FOREIGN | TASK_RESTARTED))
		return -ENOTSUP;
	snprintf(path, sizeof(path), "%u/task/%u/fd/%d", task->pid, task->tid, (int)task->args[0]);
	r = look_behind(context->proc, path, STATX_BASIC_STATS, &stx);
	if (r < 0)
		return r == -ESRCH ? -ENOENT : r;
	file = file_key(OBJECT_LOCK, &stx);
	w->wanted.dev = file.dev;
	w->wanted.ino = file.ino;
	w->wanted.end = LOCK_EOF;
	w->range_known = true;
	if (task->wait == WAIT_FLOCK)
		w->wanted.write = (task->args[1] & ~(uint64_t)LOCK_NB) == LOCK_EX;
	else
		w->range_known = read_range(w, context, task, &stx) == 0;
	return 0;
}

/* They are added from the last task to the first, each before those of its file. */
static int add(struct lock_waits *l, struct lock_wait *w)
{
	const struct hash_slot *slot = hash_find(&l->index, w->wanted.ino, NULL);

	if (l->count >= NO_WAITER || vec_reserve(&l->items, l->count, sizeof(*l->items)) < 0)
		return -ENOMEM;
	w->next = slot ? slot->value : NO_WAITER;
	if (slot)
		hash_set(&l->index, slot, (uint32_t)l->count);
	else if (hash_add(&l->index, w->wanted.ino, (uint32_t)l->count) < 0)
		return -ENOMEM;
	l->items[l->count++] = *w;
	return 0;
}

const struct lock_wait *lock_waits_next(const struct lock_waits *l, uint64_t dev, uint64_t ino,
					const struct lock_wait *after)
{
	const struct hash_slot *slot = after ? NULL : hash_find(&l->index, ino, NULL);
	uint32_t i = after ? after->next : slot ? slot->value : NO_WAITER;

	while (i != NO_WAITER && (l->items[i].wanted.dev != dev || l->items[i].wanted.ino != ino))
		i = l->items[i].next;
	return i == NO_WAITER ? NULL : &l->items[i];
}

bool lock_conflicts(const struct lock_line *held, const struct lock_line *wanted)
{
	bool whole = held->type == LOCK_FLOCK;

	return (wanted->type == LOCK_FLOCK) == whole && held->type != LOCK_LEASE &&
	       (held->write || wanted->write) &&
	       (whole || (held->start <= wanted->end && wanted->start <= held->end));
}

/* The waiter of a row of /proc/locks: NULL if it is not among them any more. */
static struct lock_wait *find_row(struct lock_waits *l, const struct lock *lock, const struct lock_line *row)
{
	const struct lock_wait *w = NULL;

	while ((w = lock_waits_next(l, lock->file_dev, lock->file_ino, w)) != NULL)
		if (!w->listed && w->wanted.type == row->type && (row->pid <= 0 || w->pid == row->pid) &&
		    (!w->range_known || (w->wanted.write == row->write && w->wanted.start == row->start &&
					 w->wanted.end == row->end)))
			return &l->items[w - l->items];
	return NULL;
}

static void match_rows(struct lock_waits *l, struct proc_locks *locks, const struct lock_set *held)
{
	for (size_t i = 0; i < locks->count; i++) {
		const struct proc_lock *line = &locks->items[i];
		const struct hash_slot *slot =
			line->count > 0 ? lock_set_next(held, &line->line, NULL) : NULL;

		for (uint32_t n = 0; slot && n < line->count; n++) {
			struct lock_waiter *row = &locks->waiters[line->first + n];
			struct lock_wait *w = find_row(l, &held->items[slot->value], &row->line);

			if (!w)
				continue;
			w->listed = true;
			row->wait = (uint32_t)(w - l->items);
		}
	}
}

int lock_waits_find(struct lock_waits *l, const struct scan_context *context, const struct tasks *tasks,
		    struct proc_locks *locks, const struct lock_set *held)
{
	int r = 0;

	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!context->own_proc || !context->own_pids || !tasks->looked)
		return 0;
	l->looked = true;
	l->complete = tasks->complete;
	for (size_t i = tasks->count; r == 0 && i-- > 0;) {
		const struct task *task = &tasks->items[i];
		struct lock_wait w;

		if (task->wait == WAIT_UNKNOWN)
			l->complete = false;
		if (task->wait != WAIT_FLOCK && task->wait != WAIT_FCNTL)
			continue;
		r = look_at(&w, context, task);
		if (r == 0)
			r = add(l, &w);
		else if (r != -ENOENT && r != -ENOMEM)
			l->complete = false;
		r = r == -ENOMEM ? r : 0;
	}
	if (r == 0)
		match_rows(l, locks, held);
	return r;
}

void lock_waits_free(struct lock_waits *l)
{
	free(l->items);
	hash_free(&l->index);
	*l = (struct lock_waits){ 0 };
}
