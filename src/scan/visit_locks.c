/* SPDX-License-Identifier: MIT */
/* The locks that a descriptor holds, as its fdinfo tells them. */
#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/visit.h"

/* The number in "pipe:[4711]". */
static bool number_in(struct span text, uint64_t *number)
{
	const char *open = memchr(text.ptr, '[', text.len);
	size_t at = open ? (size_t)(open - text.ptr) + 1 : 0;

	return open && text.ptr[text.len - 1] == ']' &&
	       parse_u64((struct span){ text.ptr + at, text.len - at - 1 }, number) == 0;
}

/*
 * Whether a descriptor is worth the look, which costs more than all else about it. Where
 * /proc/locks tells of all locks, those of other files are not. Elsewhere whatever has a path is;
 * what has none, hardly anybody locks: there /proc/locks has to do.
 */
static bool may_be_locked(const struct visit *v, const struct seat *s)
{
	const struct proc_locks *locks = v->w->request->locks;
	struct span text = seat_path(s);
	bool memfd = span_starts(text, "/memfd:");
	uint64_t number;
	struct statx stx;

	if (text.len > 0 && text.ptr[0] != '/')
		return number_in(text, &number) && proc_locks_has_inode(locks, number);
	if (!locks->all && !memfd)
		return true;
	if (locks->count == 0)
		return false;
	if (look_behind(s->dir, s->name, STATX_TYPE | STATX_INO, &stx) < 0)
		return true;
	return proc_locks_has_inode(locks, stx.stx_ino) ||
	       !(memfd || device_is_among(v->w->plain, v->w->nplain, file_key(OBJECT_LOCK, &stx).dev));
}

/* What a file is called, and whether it is still there. 0 or -errno. */
static int look_at_file(const struct visit *v, const struct seat *s, struct lock *lock)
{
	struct object_key file;
	struct statx stx;
	int r = look_behind(s->dir, s->name, STATX_BASIC_STATS, &stx);

	if (r == 0)
		r = seat_still_there(s);
	if (r < 0)
		return r;
	file = file_key(OBJECT_LOCK, &stx);
	if (device_is_among(v->w->ambiguous, v->w->nambiguous, lock->line.dev))
		lock->subvolume = file.dev;
	lock->looked = true;
	lock->deleted = stx.stx_nlink == 0;
	lock->file_dev = file.dev;
	lock->file_ino = file.ino;
	lock->path = lock->deleted ? without_deleted(seat_path(s)) : seat_path(s);
	return 0;
}

/* Notes one lock; nothing is kept of the seat. 0 or -errno. */
static int note_lock(struct visit *v, const struct seat *s, const struct lock_line *line, uint8_t access)
{
	struct object_key key = { .class = OBJECT_LOCK };
	struct lock lock = { .line = *line };
	bool ambiguous = device_is_among(v->w->ambiguous, v->w->nambiguous, line->dev);
	int64_t number = ambiguous ? -ENOENT : lock_set_find(&v->w->locks, &lock);
	int r;

	if (number < 0) {
		r = look_at_file(v, s, &lock);
		if (r < 0)
			return r;
		lock.path = arena_span(&v->w->arena, lock.path);
		number = lock.path.ptr ? lock_set_add(&v->w->locks, &lock) : -ENOMEM;
		if (number < 0)
			return -ENOMEM;
	}
	key.ino = (uint64_t)number;
	visit_add(v, &key, s->fd, access, NULL);
	return 0;
}

void visit_locks(struct visit *v, struct seat *s)
{
	struct line_reader reader = { .text = v->w->text };
	_cleanup_(close_fd) int fd = -1;
	struct lock_line lock;
	struct span line;
	uint8_t access = 0;
	int r;

	if (!may_be_locked(v, s))
		return;
	r = seat_open_info(v, s);
	if (r == 0) {
		fd = openat(s->info, s->name, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	reader.fd = fd;
	buf_reset(&reader.text);
	while (r >= 0 && (r = line_reader_next(&reader, &line)) > 0) {
		if (!span_starts(line, "lock:") || lock_parse(span_from(line, 5), &lock) < 0)
			continue;
		if (v->w->request->access && access == 0)
			r = seat_access(s, &access);
		if (r >= 0)
			r = note_lock(v, s, &lock, access);
	}
	v->w->text = reader.text;
	visit_failed(v, r);
}
