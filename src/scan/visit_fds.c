/* SPDX-License-Identifier: MIT */
/* The descriptors of one process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/fdinfo.h"
#include "scan/fdtable.h"
#include "scan/terminals.h"
#include "scan/visit.h"

int seat_still_there(const struct seat *s)
{
	char again[PATH_MAX];
	ssize_t n = readlinkat(s->dir, s->name, again, sizeof(again));

	if (n < 0)
		return errno == ENAMETOOLONG && s->len < 0 ? 0 : -errno;
	return n == s->len && memcmp(s->link, again, (size_t)n) == 0 ? 0 : -ENOENT;
}

/* The permissions of its link say it (tid_fd_update_inode() in fs/proc/fd.c), at a fraction of what
 * fdinfo costs. */
int seat_access(const struct seat *s, uint8_t *access)
{
	struct stat st;

	if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*access = (uint8_t)((st.st_mode & S_IRUSR ? ACCESS_READ : 0) |
			    (st.st_mode & S_IWUSR ? ACCESS_WRITE : 0));
	return 0;
}

static void visit_pipe(struct visit *v, const struct seat *s, const struct object_key *key)
{
	uint8_t access = 0;
	int r = 0;

	if (v->w->request->access) {
		r = seat_access(s, &access);
		if (r == 0)
			r = seat_still_there(s);
	}
	if (r == 0)
		visit_add(v, key, s->fd, access, NULL);
	visit_failed(v, r);
}

/* Sockets are listed as the kernel tells them of one network namespace: those of a process
 * that lives in another are mostly not among them. */
static void visit_socket(struct visit *v, const struct seat *s, const struct object_key *key)
{
	if (!v->has_sockets && !v->w->request->everywhere) {
		int shares = visit_shares(v, "net", v->w->net_namespace);

		/* Those places are looked at that were asked for. */
		v->w->elsewhere += (shares == 0 && !v->w->request->everywhere) || shares == -EACCES;
	}
	v->has_sockets = true;
	visit_add(v, key, s->fd, ACCESS_READ | ACCESS_WRITE, NULL);
}

int seat_open_info(const struct visit *v, struct seat *s)
{
	char path[40];

	if (s->info >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/fdinfo", s->table);
	s->info = openat(v->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->info < 0 ? -errno : 0;
}

/* All eventfds share one inode; fdinfo tells them apart. */
static void visit_eventfd(struct visit *v, struct seat *s)
{
	struct object_key key = { .class = OBJECT_EVENTFD };
	struct fdinfo info;
	int r = seat_open_info(v, s);

	if (r == 0)
		r = fdinfo_read(&info, s->info, NULL, s->name);
	if (r == 0)
		r = fdinfo_number(&info, "eventfd-id:", &key.ino);
	if (r == 0)
		visit_add(v, &key, s->fd, ACCESS_READ | ACCESS_WRITE, NULL);
	else if (r == -ENODATA)
		v->w->unidentified += seat_still_there(s) == 0; /* before Linux 5.2 */
	else
		visit_failed(v, r);
}

struct span seat_path(const struct seat *s)
{
	return (struct span){ s->link, s->len < 0 ? 0 : (size_t)s->len };
}

/* Whether a file is to be noted. Those that a directory shows are not: they are found there. */
static bool is_news(const struct visit *v, const struct object_key *key, const struct statx *stx)
{
	return (key->class != OBJECT_FILE || stx->stx_nlink == 0) && !visit_knows_file(v->w, key);
}

/*
 * A regular file or FIFO that is looked for; stx: what it is. What is asked beside that
 * counts only if the link still leads there.
 */
static void visit_file(struct visit *v, const struct seat *s, const struct object_key *key,
		       const struct statx *stx)
{
	bool news = is_news(v, key, stx);
	uint8_t access = 0;
	int r = v->w->request->access ? seat_access(s, &access) : 0;

	if (r == 0 && (news || v->w->request->access))
		r = seat_still_there(s);
	if (r == 0) {
		visit_add(v, key, s->fd, access, NULL);
		if (news)
			visit_note_file(v, key, seat_path(s), false, stx);
	}
	visit_failed(v, r);
}

/* Master or slave of a pseudo-terminal. */
static void visit_terminal(struct visit *v, const struct seat *s, const struct statx *stx)
{
	struct object_key key = { .class = OBJECT_PTY };
	uint8_t access = ACCESS_READ | ACCESS_WRITE;
	int r;

	if (stx->stx_rdev_major == PTY_SLAVE_MAJOR) {
		key.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
		key.ino = stx->stx_rdev_minor;
		r = v->w->request->access ? seat_access(s, &access) : 0;
	} else {
		access |= ACCESS_MASTER;
		r = terminals_master(&v->terminals, v->dir, s->table, s->name, stx, seat_path(s), &key);
	}
	if (r == 0)
		r = seat_still_there(s);
	if (r == 0)
		visit_add(v, &key, s->fd, access, NULL);
	visit_failed(v, r == -ENODATA ? 0 : r);
}

/* The class of what a path leads to, among those that are looked for; false: none. */
static bool classify(const struct visit *v, const struct seat *s, const struct statx *stx,
		     struct object_key *key)
{
	const struct holders_request *request = v->w->request;
	unsigned major_number = stx->stx_rdev_major;

	*key = file_key(OBJECT_FILE, stx);
	if (S_ISREG(stx->stx_mode)) {
		if (device_is_among(request->devices, request->ndevices, key->dev))
			return visit_wants(v, OBJECT_FILE);
		key->class = OBJECT_MEMFD;
		return span_starts(seat_path(s), "/memfd:") &&
		       internal_devices_has(v->w->devices, key->dev) && visit_wants(v, OBJECT_MEMFD);
	}
	key->class = S_ISFIFO(stx->stx_mode) ? OBJECT_FIFO : OBJECT_PTY;
	if (S_ISCHR(stx->stx_mode) && major_number != PTY_SLAVE_MAJOR &&
	    (major_number != PTY_MASTER_MAJOR || stx->stx_rdev_minor != PTY_MASTER_MINOR))
		return false;
	return (S_ISFIFO(stx->stx_mode) || S_ISCHR(stx->stx_mode)) && visit_wants(v, key->class);
}

/* Whether it is but a look at a file, by another thread of this very process: O_PATH. */
static bool is_own_look(const struct visit *v, const struct seat *s)
{
	uint8_t access = 0;

	return v->holder->pid == v->w->own_pid && (seat_access(s, &access) < 0 || access == 0);
}

/* A link to a path: which file it is, the text does not say. */
static void visit_path(struct visit *v, const struct seat *s)
{
	struct object_key key;
	struct statx stx;
	/* All at once costs no more: the file systems of IPC fill in everything anyway. */
	int r = look_behind(s->dir, s->name, STATX_BASIC_STATS, &stx);

	if (is_own_look(v, s))
		return;
	if (r < 0 || !classify(v, s, &stx, &key))
		visit_failed(v, r);
	else if (key.class == OBJECT_PTY)
		visit_terminal(v, s, &stx);
	else
		visit_file(v, s, &key, &stx);
}

/* Whether it is a link such as "pipe:[4711]", which has a number at its end. */
static bool find_number(struct seat *s)
{
	struct span text = seat_path(s);
	const char *open = text.len > 0 && text.ptr[0] != '/' ? memchr(text.ptr, '[', text.len) : NULL;
	size_t head = open ? (size_t)(open - text.ptr) + 1 : 0;

	return open && text.ptr[text.len - 1] == ']' &&
	       parse_u64((struct span){ text.ptr + head, text.len - head - 1 }, &s->number) == 0;
}

/* False: it could not be looked at; mostly there is none of that number. */
static bool visit_descriptor(struct visit *v, struct seat *s)
{
	const unsigned paths = 1 << OBJECT_FILE | 1 << OBJECT_MEMFD | 1 << OBJECT_FIFO | 1 << OBJECT_PTY;
	struct object_key key;
	struct span text;

	s->len = readlinkat(s->dir, s->name, s->link, sizeof(s->link));
	/* ENAMETOOLONG: a path over 4095 bytes; the file behind it can be asked all the same. */
	if (s->len < 0 && errno != ENAMETOOLONG) {
		visit_failed(v, -errno);
		return false;
	}
	text = seat_path(s);
	s->numbered = find_number(s);
	if (visit_wants(v, OBJECT_LOCK))
		visit_locks(v, s);
	if (text.len == 0 || text.ptr[0] == '/') {
		if (v->w->request->classes & paths)
			visit_path(v, s);
	} else if (s->numbered && span_starts(text, "pipe:[")) {
		key = (struct object_key){ .class = OBJECT_PIPE, .ino = s->number };
		if (visit_wants(v, OBJECT_PIPE))
			visit_pipe(v, s, &key);
	} else if (s->numbered && span_starts(text, "socket:[")) {
		key = (struct object_key){ .class = OBJECT_SOCKET, .ino = s->number };
		if (visit_wants(v, OBJECT_SOCKET))
			visit_socket(v, s, &key);
	} else if (span_is(text, "anon_inode:[eventfd]") && visit_wants(v, OBJECT_EVENTFD)) {
		visit_eventfd(v, s);
	}
	return true;
}

bool visit_one_descriptor(struct visit *v, const char *table, int fd)
{
	_cleanup_(close_fd) int dir = -1;
	struct seat s = { .table = table, .info = -1, .fd = fd };
	char path[40], name[12];
	bool there;

	snprintf(path, sizeof(path), "%s/fd", table);
	snprintf(name, sizeof(name), "%d", fd);
	dir = openat(v->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		visit_failed(v, -errno);
		return false;
	}
	s.dir = dir;
	s.name = name;
	there = visit_descriptor(v, &s);
	close_fd(&s.info);
	return there;
}

void visit_descriptors(struct visit *v, const char *table)
{
	_cleanup_(close_fd) int dir = -1;
	struct fd_reader numbers;
	struct seat s = { .table = table, .info = -1 };
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%s/fd", table);
	dir = openat(v->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		visit_failed(v, -errno);
		return;
	}
	s.dir = dir;
	numbers = (struct fd_reader){ .names = { .fd = dir, .buffer = v->w->entries },
				      .counting = v->w->counting,
				      .last = -1 };
	while ((r = fd_reader_next(&numbers, &s.name)) > 0) {
		s.fd = numbers.last;
		if (!visit_descriptor(v, &s))
			fd_reader_missed(&numbers);
	}
	v->w->entries = numbers.names.buffer; /* for the next directory */
	close_fd(&s.info);
	visit_failed(v, r);
}
