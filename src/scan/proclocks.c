/* SPDX-License-Identifier: MIT */
#include "scan/proclocks.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/vec.h"

/* Waiters of waiters, and so on; deeper rows stand behind the deepest that is kept. */
#define MOST_LEVELS 64

/* The row of waiters under way: the last of each level. */
struct row {
	uint32_t last[MOST_LEVELS];
	unsigned depth;
};

static int add_waiter(struct proc_locks *l, const struct lock_line *line, struct row *row)
{
	unsigned above = line->level - 1; /* waiters, between it and the lock */
	struct proc_lock *lock = &l->items[l->count - 1];

	/* The row may have changed between two reads of the file: then it hangs in the air. */
	if (above > row->depth)
		above = row->depth;
	if (above >= MOST_LEVELS)
		above = MOST_LEVELS - 1;
	if (l->nwaiters >= NO_WAITER || vec_reserve(&l->waiters, l->nwaiters, sizeof(*l->waiters)) < 0)
		return -ENOMEM;
	l->waiters[l->nwaiters] =
		(struct lock_waiter){ *line, above > 0 ? row->last[above - 1] : NO_WAITER, NO_WAITER };
	row->last[above] = (uint32_t)l->nwaiters++;
	row->depth = above + 1;
	lock->count++;
	return 0;
}

const struct proc_lock *proc_locks_find(const struct proc_locks *l, const struct lock_line *lock)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&l->index, lock_digest(lock), slot)) != NULL)
		if (lock_same(&l->items[slot->value].line, lock))
			return &l->items[slot->value];
	return NULL;
}

/*
 * Whether an earlier page told this very lock. Each is told at one moment, but the next begins at a number:
 * of locks that were taken in between, anywhere in the system, the last ones told move behind it.
 */
static bool is_told_again(const struct proc_locks *l, const struct lock_line *line, size_t page)
{
	const struct proc_lock *lock = proc_locks_find(l, line);

	while (lock && (lock->page == page || lock->line.pid != line->pid || lock->line.write != line->write))
		lock = proc_locks_next(l, lock);
	return lock != NULL;
}

static int add_lock(struct proc_locks *l, const struct lock_line *line, size_t page)
{
	const struct proc_lock *same = proc_locks_find(l, line);
	uint32_t first = same ? (uint32_t)(same - l->items) : (uint32_t)l->count;

	if (l->count >= NO_LOCK || vec_reserve(&l->items, l->count, sizeof(*l->items)) < 0 ||
	    (!same && hash_add(&l->index, lock_digest(line), first) < 0) ||
	    (!hash_find(&l->inodes, line->ino, NULL) && hash_add(&l->inodes, line->ino, 0) < 0))
		return -ENOMEM;
	l->items[l->count] = (struct proc_lock){
		.line = *line,
		.first = (uint32_t)l->nwaiters,
		.next = NO_LOCK,
		.last = first,
		.page = page,
	};
	if (same) {
		l->items[l->items[first].last].next = (uint32_t)l->count;
		l->items[first].last = (uint32_t)l->count;
	}
	l->count++;
	return 0;
}

static int read_lines(struct proc_locks *l, int fd)
{
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	bool known = false; /* the lock under way is one of ours, and so are its waiters */
	struct lock_line lock;
	struct row row = { .depth = 0 };
	struct span line;
	size_t lines = 0;
	int r;

	while ((r = line_reader_next(&reader, &line)) > 0) {
		bool parsed = lock_parse(line, &lock) == 0;

		l->cut = lines++ == PROC_LOCKS_MOST;
		if (l->cut)
			return 0;
		r = 0;
		if (!parsed) {
			known = known && memmem(line.ptr, line.len, "->", 2);
		} else if (lock.level == 0) {
			known = !is_told_again(l, &lock, reader.reads);
			row.depth = 0;
			r = known ? add_lock(l, &lock, reader.reads) : 0;
		} else if (known) {
			r = add_waiter(l, &lock, &row);
		}
		if (r < 0)
			return r;
	}
	return r;
}

int proc_locks_read(struct proc_locks *l, const struct scan_context *context)
{
	_cleanup_(close_fd) int fd = openat(context->proc, "locks", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_lines(l, fd);

	if (r < 0) {
		proc_locks_free(l);
		return r;
	}
	l->looked = true;
	l->all = !l->cut && context->own_proc && proc_is_initial(context->proc);
	return 0;
}

bool proc_locks_has_inode(const struct proc_locks *l, uint64_t ino)
{
	return hash_find(&l->inodes, ino, NULL) != NULL;
}

int proc_locks_confirm(struct proc_locks *l, const struct scan_context *context, const struct lock_set *seen)
{
	struct proc_locks later = { 0 };
	bool unseen = false;
	int r;

	for (size_t i = 0; i < l->count && !unseen; i++)
		unseen = !lock_set_next(seen, &l->items[i].line, NULL);
	if (!unseen)
		return 0;
	r = proc_locks_read(&later, context);
	for (size_t i = 0; r == 0 && i < l->count; i++)
		l->items[i].gone = !lock_set_next(seen, &l->items[i].line, NULL) &&
				   !proc_locks_find(&later, &l->items[i].line);
	proc_locks_free(&later);
	return r == -ENOMEM ? r : 0;
}

void proc_locks_free(struct proc_locks *l)
{
	free(l->items);
	free(l->waiters);
	hash_free(&l->index);
	hash_free(&l->inodes);
	*l = (struct proc_locks){ 0 };
}
