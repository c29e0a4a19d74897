/* SPDX-License-Identifier: MIT */
#include "scan/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/maps.h"
#include "scan/process.h"

#define KCMP_VM 1
#define KCMP_FILES 2

/* linux_dirent64 of getdents64(2). */
struct dirent_record {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* The process under way. */
struct visit {
	struct walker *w;
	uint32_t pid;
	uint32_t holder; /* index, once it holds something; else NO_HOLDING */
	struct process_stat stat;
	uint32_t uid;
	bool refused; /* something of it could not be read */
};

int64_t read_numbers(int dir, char *buffer, uint32_t **numbers)
{
	size_t count = 0, cap = 0;
	uint64_t v;

	*numbers = NULL;
	for (;;) {
		long n = syscall(SYS_getdents64, dir, buffer, WALK_BUFFER);

		if (n <= 0)
			return n < 0 ? -errno : (int64_t)count;
		for (long at = 0; at < n;) {
			const struct dirent_record *d = (const void *)(buffer + at);

			at += d->reclen;
			if (d->name[0] < '0' || d->name[0] > '9' ||
			    parse_u64_in(span_of(d->name), 0, INT32_MAX, &v) < 0)
				continue;
			if (count == cap) {
				uint32_t *grown = reallocarray(*numbers, cap ? cap * 2 : 64, sizeof(*grown));

				if (!grown)
					return -ENOMEM;
				*numbers = grown;
				cap = cap ? cap * 2 : 64;
			}
			(*numbers)[count++] = (uint32_t)v;
		}
	}
}

static bool is_wanted_device(const struct walker *w, uint64_t dev)
{
	for (size_t i = 0; i < w->request->ndevices; i++)
		if (w->request->devices[i] == dev)
			return true;
	return false;
}

/* Whether an error means that the process, thread or descriptor is gone. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

/* Notes what an error means for how complete the view is. */
static void failed(struct visit *v, int error)
{
	if (error == -EACCES || error == -EPERM)
		v->refused = true;
	else if (error < 0 && !is_gone(error) && !v->w->error)
		v->w->error = error;
}

/* The process as a holder, made when its first holding is found. */
static int ensure_holder(struct visit *v)
{
	struct walker *w = v->w;
	struct holder *items;

	if (v->holder != NO_HOLDING)
		return 0;
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;

		items = reallocarray(w->items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		w->items = items;
		w->cap = cap;
	}
	w->items[w->count] = (struct holder){
		.pid = v->pid,
		.uid = v->uid,
		.start = process_start(v->stat.start_ticks),
		.command = arena_span(&w->arena, v->stat.command),
	};
	if (!w->items[w->count].command.ptr)
		return -ENOMEM;
	v->holder = (uint32_t)w->count++;
	return 0;
}

static void add_holding(struct visit *v, struct holding holding)
{
	struct walker *w = v->w;
	struct holding *holdings;

	if (ensure_holder(v) < 0) {
		w->error = -ENOMEM;
		return;
	}
	if (w->nholdings == w->holdings_cap) {
		size_t cap = w->holdings_cap ? w->holdings_cap * 2 : 64;

		holdings = reallocarray(w->holdings, cap, sizeof(*holdings));
		if (!holdings) {
			w->error = -ENOMEM;
			return;
		}
		w->holdings = holdings;
		w->holdings_cap = cap;
	}
	holding.holder = v->holder;
	holding.next = NO_HOLDING;
	w->holdings[w->nholdings++] = holding;
}

static struct span without_deleted(struct span path)
{
	const struct span tail = SPAN(" (deleted)");

	if (path.len > tail.len && span_is(span_from(path, path.len - tail.len), tail.ptr))
		path.len -= tail.len;
	return path;
}

/* Remembers an object that no directory shows any more. */
static void add_nameless(struct walker *w, const struct object_key *key, const struct statx *stx, struct span path)
{
	struct nameless *items;

	if (w->nnameless == w->nameless_cap) {
		size_t cap = w->nameless_cap ? w->nameless_cap * 2 : 16;

		items = reallocarray(w->nameless, cap, sizeof(*items));
		if (!items) {
			w->error = -ENOMEM;
			return;
		}
		w->nameless = items;
		w->nameless_cap = cap;
	}
	w->nameless[w->nnameless++] = (struct nameless){
		.key = *key,
		.path = arena_span(&w->arena, without_deleted(path)),
		.mode = stx->stx_mode,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.links = stx->stx_nlink,
		.size = stx->stx_size,
		.allocated = stx->stx_blocks * 512,
		.atime = stx->stx_atime.tv_sec,
		.mtime = stx->stx_mtime.tv_sec,
		.ctime = stx->stx_ctime.tv_sec,
	};
}

/* What a descriptor was opened for: the permissions of its link say it
 * (tid_fd_update_inode() in fs/proc/fd.c), at a fraction of what fdinfo costs. */
static uint8_t link_access(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (uint8_t)((st.st_mode & S_IRUSR ? ACCESS_READ : 0) | (st.st_mode & S_IWUSR ? ACCESS_WRITE : 0));
}

static void visit_descriptor(struct visit *v, int dir, const char *name, int fd)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(dir, name, link, sizeof(link));
	struct object_key key = { .class = OBJECT_FILE };
	struct statx stx;

	/* ENAMETOOLONG: a path over 4095 bytes; the file behind it can be asked all the same. */
	if (n < 0 && errno != ENAMETOOLONG) {
		failed(v, -errno);
		return;
	}
	/* "pipe:[1]", "socket:[2]", "anon_inode:..." and memfds are files of no
	 * device that was asked for. */
	if (n > 0 && (link[0] != '/' || span_starts((struct span){ link, (size_t)n }, "/memfd:")))
		return;
	/* With DONT_SYNC and no more than what is known it waits for no file system,
	 * dead network ones included. */
	if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &stx) < 0) {
		failed(v, -errno);
		return;
	}
	key.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	key.ino = stx.stx_ino;
	if (!is_wanted_device(v->w, key.dev) || !S_ISREG(stx.stx_mode))
		return;
	add_holding(v, (struct holding){ .key = key, .fd = fd, .access = link_access(dir, name) });
	/* One of our devices: memory, which answers at once. */
	if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &stx) == 0 && stx.stx_nlink == 0)
		add_nameless(v->w, &key, &stx, (struct span){ link, n > 0 ? (size_t)n : 0 });
}

/* The descriptors in the directory `path` below dir. */
static void visit_descriptors(struct visit *v, int dir, const char *path)
{
	_cleanup_(close_fd) int fds = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *numbers = NULL;
	int64_t n;

	if (fds < 0) {
		failed(v, -errno);
		return;
	}
	n = read_numbers(fds, v->w->buffer, &numbers);
	failed(v, n < 0 ? (int)n : 0);
	for (int64_t i = 0; i < n; i++) {
		char name[12];

		snprintf(name, sizeof(name), "%u", numbers[i]);
		visit_descriptor(v, fds, name, (int)numbers[i]);
	}
}

static void nameless_mapping(struct visit *v, int dir, const struct map_line *map, const struct object_key *key)
{
	char path[64];
	struct statx stx;

	snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)map->start,
		 (unsigned long long)map->end);
	if (statx(dir, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &stx) == 0 && stx.stx_nlink == 0)
		add_nameless(v->w, key, &stx, map->path);
}

static void visit_mapping(struct visit *v, int dir, const struct map_line *map)
{
	uint8_t access = (uint8_t)((map->read ? ACCESS_READ : 0) | (map->write && map->shared ? ACCESS_WRITE : 0));
	struct object_key key = { OBJECT_FILE, makedev((unsigned)map->major, (unsigned)map->minor), map->inode };
	struct holding holding = { .fd = -1, .access = access, .start = map->start, .end = map->end };

	if (v->w->request->sysv && map->shared && span_starts(map->path, "/SYSV")) {
		holding.key = (struct object_key){ OBJECT_SYSV, 0, map->inode };
		add_holding(v, holding);
		return;
	}
	if (!is_wanted_device(v->w, key.dev))
		return;
	holding.key = key;
	add_holding(v, holding);
	if (map->path.len > 10 && span_is(span_from(map->path, map->path.len - 10), " (deleted)"))
		nameless_mapping(v, dir, map, &key);
}

static void visit_mappings(struct visit *v, int dir, const char *path)
{
	struct buf *text = &v->w->text;
	struct span rest, line;
	struct map_line map;
	int r;

	buf_reset(text);
	r = read_file_at(dir, path, text);
	if (r < 0) {
		failed(v, r);
		return;
	}
	rest = buf_span(text);
	while (next_line(&rest, &line))
		if (maps_parse(line, &map) == 0 && map.inode != 0)
			visit_mapping(v, dir, &map);
}

/* Threads that share neither the table of descriptors nor, with a leader that has
 * exited, anything with it: those are looked at themselves. */
static void visit_threads(struct visit *v, int dir)
{
	_cleanup_(close_fd) int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	int64_t n = tasks < 0 ? -errno : read_numbers(tasks, v->w->buffer, &tids);
	bool dead = v->stat.state == 'Z', mapped = false;
	char path[32];

	failed(v, n < 0 ? (int)n : 0);
	for (int64_t i = 0; i < n; i++) {
		long shared;

		if (tids[i] == v->pid)
			continue;
		/* The kernel has no kcmp(2), or refuses: look, and perhaps see twice. */
		shared = dead ? -1 : syscall(SYS_kcmp, v->pid, tids[i], KCMP_FILES, 0, 0);
		if (shared != 0 && v->w->request->descriptors) {
			snprintf(path, sizeof(path), "%u/fd", tids[i]);
			visit_descriptors(v, tasks, path);
		}
		/* Threads of one process share their memory: one look is enough. */
		if (dead && !mapped && v->w->request->mappings) {
			snprintf(path, sizeof(path), "%u/maps", tids[i]);
			visit_mappings(v, tasks, path);
			mapped = true;
		}
	}
}

static int read_stat(struct visit *v, int dir, struct buf *text)
{
	struct stat st;
	int r = read_file_at(dir, "stat", text);

	if (r == 0)
		r = process_stat_parse(buf_span(text), &v->stat);
	if (r < 0)
		return r;
	/* The owner of /proc/PID is the effective user, or root if it is not
	 * dumpable; then `status` would say more, at a price. */
	if (fstat(dir, &st) < 0)
		return -errno;
	v->uid = st.st_uid;
	return 0;
}

void walk_process(struct walker *w, uint32_t pid)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(buf_free) struct buf stat = { 0 };
	struct visit v = { .w = w, .pid = pid, .holder = NO_HOLDING };
	char name[12];
	int r;

	snprintf(name, sizeof(name), "%u", pid);
	dir = openat(w->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : read_stat(&v, dir, &stat);
	if (r < 0) {
		failed(&v, r);
		w->unreadable += v.refused;
		return;
	}
	w->threads += v.stat.threads;
	if (w->request->descriptors)
		visit_descriptors(&v, dir, "fd");
	if (w->request->mappings)
		visit_mappings(&v, dir, "maps");
	if (v.stat.threads > 1)
		visit_threads(&v, dir);
	w->unreadable += v.refused;
}

void walker_free(struct walker *w)
{
	free(w->items);
	free(w->holdings);
	free(w->nameless);
	free(w->buffer);
	buf_free(&w->text);
	arena_free(&w->arena);
}
