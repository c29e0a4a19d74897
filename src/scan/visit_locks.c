/* SPDX-License-Identifier: MIT */
/* The locks that a descriptor holds, as its fdinfo tells them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/cached.h"
#include "scan/visit.h"

/*
 * Whether a descriptor is worth the look, which costs more than all else about it. Where
 * /proc/locks tells of all locks, those of other files are not. Elsewhere whatever has a path is;
 * what has none, and a device such as /dev/null, hardly anybody locks: there /proc/locks has to do.
 */
static bool may_be_locked(const struct visit *v, const struct seat *s)
{
	const struct proc_locks *locks = v->w->request->locks;
	struct span text = seat_path(s);
	bool memfd = span_starts(text, "/memfd:"), device;
	struct statx stx;

	if (text.len > 0 && text.ptr[0] != '/')
		return s->numbered && proc_locks_has_inode(locks, s->number);
	if (!locks->all && !memfd && !span_starts(text, "/dev/"))
		return true;
	if (locks->count == 0 && (locks->all || memfd))
		return false;
	if (look_behind(s->dir, s->name, STATX_TYPE | STATX_INO, &stx) < 0)
		return true;
	device = S_ISCHR(stx.stx_mode);
	if (!locks->all && !memfd && !device)
		return true;
	return proc_locks_has_inode(locks, stx.stx_ino) ||
	       !(memfd || device ||
		 device_is_among(v->w->plain, v->w->nplain, file_key(OBJECT_LOCK, &stx).dev));
}

/* A path that is looked into whatever /proc/locks says, unless that has all locks. */
static bool is_ordinary(struct span text)
{
	return text.len == 0 ||
	       (text.ptr[0] == '/' && !span_starts(text, "/memfd:") && !span_starts(text, "/dev/"));
}

/*
 * Whether fdinfo may be read before /proc/locks is known: mostly there is no lock, and no more to be
 * asked. What the drivers of other devices would tell there, and at what cost, nobody knows.
 */
static bool may_look_early(const struct seat *s)
{
	struct span text = seat_path(s);
	struct statx stx;

	if (is_ordinary(text))
		return true;
	if (!span_starts(text, "/dev/"))
		return span_starts(text, "/memfd:") || span_starts(text, "pipe:[") ||
		       span_starts(text, "socket:[");
	if (look_behind(s->dir, s->name, STATX_TYPE, &stx) < 0)
		return false;
	return S_ISREG(stx.stx_mode) ||
	       (S_ISCHR(stx.stx_mode) &&
		(stx.stx_rdev_major == MEM_MAJOR || stx.stx_rdev_major == UNIX98_PTY_SLAVE_MAJOR));
}

/* Whether the descriptor is worth the look; waits for /proc/locks if that has to say it. */
static bool turns_out_locked(const struct visit *v, const struct seat *s)
{
	struct span text = seat_path(s);

	if (text.len > 0 && text.ptr[0] != '/' && !s->numbered)
		return false;
	if (!locks_are_known(v->w->request))
		latch_wait(v->w->request->locks_read);
	return may_be_locked(v, s);
}

/* Whether its path leads to that file for us, too; no file system is waited for. 1, 0 or -ENOMEM. */
static int leads_to(const struct visit *v, struct span text, uint64_t dev, uint64_t ino)
{
	struct object_key found;
	char path[PATH_MAX];
	struct statx stx;
	int r;

	if (text.len == 0 || text.len >= sizeof(path) || text.ptr[0] != '/')
		return 0;
	r = lookup_in_place(&v->w->place, text, v->w->plain, v->w->nplain, &stx);
	if (r == -EAGAIN) {
		memcpy(path, text.ptr, text.len);
		path[text.len] = '\0';
		r = lookup_cached(AT_FDCWD, path, false, false, &stx);
	}
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	found = file_key(OBJECT_LOCK, &stx);
	return found.dev == dev && found.ino == ino;
}

/*
 * What a file is called, and whether it is still there. 0 or -errno. Where the numbers in the lock's
 * line are those of stat(2), and its path leads to them, all is known: most files cost no more.
 */
static int look_at_file(const struct visit *v, const struct seat *s, struct lock *lock)
{
	const struct lock_line *line = &lock->line;
	struct span text = seat_path(s);
	struct object_key file = { .dev = line->dev, .ino = line->ino };
	bool plain = device_is_among(v->w->plain, v->w->nplain, line->dev);
	struct statx stx;
	int r = plain ? leads_to(v, text, file.dev, file.ino) : 0;

	lock->looked = true;
	lock->path = text;
	if (r == 0) {
		r = look_behind(s->dir, s->name, STATX_BASIC_STATS, &stx);
		if (r == 0)
			r = seat_still_there(s);
		if (r < 0)
			return r;
		file = file_key(OBJECT_LOCK, &stx);
		lock->deleted = stx.stx_nlink == 0;
		if (lock->deleted)
			lock->path = without_deleted(text);
		else
			r = leads_to(v, text, file.dev, file.ino);
	}
	if (r < 0)
		return r;
	lock->leads = r > 0;
	if (device_is_among(v->w->ambiguous, v->w->nambiguous, line->dev))
		lock->subvolume = file.dev;
	lock->file_dev = file.dev;
	lock->file_ino = file.ino;
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

static int take_line(struct visit *v, const struct seat *s, struct span line, uint8_t *access)
{
	struct lock_line lock;
	int r = 0;

	if (!span_starts(line, "lock:") || lock_parse(span_from(line, 5), &lock) < 0)
		return 0;
	if (v->w->request->access && *access == 0)
		r = seat_access(s, access);
	return r < 0 ? r : note_lock(v, s, &lock, *access);
}

/* There may be any number of locks. */
static int read_long(struct visit *v, const struct seat *s, int fd)
{
	struct line_reader reader = { .fd = fd, .text = v->w->text };
	struct span line;
	uint8_t access = 0;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : 1;

	buf_reset(&reader.text);
	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0) {
		int e = take_line(v, s, line, &access);

		if (e < 0)
			r = e;
	}
	v->w->text = reader.text;
	return r;
}

/* Whether there is a line of a lock, or room for one that was not read. */
static bool shows_lock(const char *text, size_t len, size_t size)
{
	return len == size || memmem(text, len, "\nlock:", 6);
}

void visit_locks(struct visit *v, struct seat *s)
{
	_cleanup_(close_fd) int fd = -1;
	bool early = !locks_are_known(v->w->request) && may_look_early(s);
	char text[2048]; /* the kernel tells a short one in one go */
	struct span rest, line;
	uint8_t access = 0;
	ssize_t n = 0;
	int r;

	if (!early && !turns_out_locked(v, s))
		return;
	r = seat_open_info(v, s);
	if (r == 0) {
		fd = openat(s->info, s->name, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		r = n < 0 ? -errno : 0;
	}
	rest = (struct span){ text, n > 0 ? (size_t)n : 0 };
	if (early && !is_ordinary(seat_path(s)) && (r < 0 || shows_lock(text, rest.len, sizeof(text))) &&
	    !turns_out_locked(v, s))
		return;
	if (n == (ssize_t)sizeof(text))
		r = read_long(v, s, fd);
	else
		while (r == 0 && next_line(&rest, &line))
			r = take_line(v, s, line, &access);
	visit_failed(v, r);
}
