/* SPDX-License-Identifier: MIT */
#include "scan/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/vec.h"
#include "scan/attach.h"

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

void visit_failed(struct visit *v, int error)
{
	if (error == -EACCES || error == -EPERM)
		v->refused = true;
	else if (error == -ENOMEM || error == -EMFILE || error == -ENFILE)
		v->w->error = error; /* it would go on so: the walk fails */
	else if (error < 0 && !is_gone(error))
		v->refused = true;
}

/* The process as a holder, made when its first holding is found. */
static int ensure_holder(struct visit *v)
{
	struct walker *w = v->w;

	if (v->holder != NO_HOLDING)
		return 0;
	if (vec_reserve(&w->items, w->count, sizeof(*w->items)) < 0)
		return -ENOMEM;
	w->items[w->count] = (struct holder){
		.pid = v->pid,
		.uid = v->uid,
		.start = process_start(v->stat.start_ticks, w->boot),
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

	if (ensure_holder(v) < 0 || vec_reserve(&w->holdings, w->nholdings, sizeof(*w->holdings)) < 0) {
		w->error = -ENOMEM;
		return;
	}
	holding.holder = v->holder;
	holding.tid = holding.fd < 0 ? 0 : v->tid; /* memory is the process's */
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

static void describe_nameless(struct nameless *n, const struct statx *stx)
{
	n->described = true;
	n->mode = stx->stx_mode;
	n->uid = stx->stx_uid;
	n->gid = stx->stx_gid;
	n->links = stx->stx_nlink;
	n->size = stx->stx_size;
	n->allocated = stx->stx_blocks * 512;
	n->atime = stx->stx_atime.tv_sec;
	n->mtime = stx->stx_mtime.tv_sec;
	n->ctime = stx->stx_ctime.tv_sec;
}

/* Remembers an object that no directory shows any more; stx: what it is, or NULL. */
static void add_nameless(struct walker *w, const struct object_key *key, const struct statx *stx,
			 struct span path)
{
	if (vec_reserve(&w->nameless, w->nnameless, sizeof(*w->nameless)) < 0) {
		w->error = -ENOMEM;
		return;
	}
	w->nameless[w->nnameless] = (struct nameless){
		.key = *key,
		.path = arena_span(&w->arena, without_deleted(path)),
	};
	if (stx)
		describe_nameless(&w->nameless[w->nnameless], stx);
	w->nnameless++;
}

/* What a descriptor was opened for: the permissions of its link say it
 * (tid_fd_update_inode() in fs/proc/fd.c), at a fraction of what fdinfo costs. 0 or -errno. */
static int link_access(int dir, const char *name, uint8_t *access)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*access = (uint8_t)((st.st_mode & S_IRUSR ? ACCESS_READ : 0) |
			    (st.st_mode & S_IWUSR ? ACCESS_WRITE : 0));
	return 0;
}

/* The file behind a link of /proc, asked without waiting for any file system, dead
 * network ones included: with DONT_SYNC it answers with what it knows. */
static int look_behind(int dir, const char *name, unsigned mask, struct statx *stx)
{
	return statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, mask, stx) < 0 ? -errno : 0;
}

static struct object_key file_key(const struct statx *stx)
{
	return (struct object_key){ OBJECT_FILE, makedev(stx->stx_dev_major, stx->stx_dev_minor),
				    stx->stx_ino };
}

static void visit_descriptor(struct visit *v, int dir, const char *name, int fd)
{
	char link[PATH_MAX], again[PATH_MAX];
	ssize_t n = readlinkat(dir, name, link, sizeof(link));
	struct object_key key, then;
	struct statx stx;
	uint8_t access = 0;
	int r;

	/* ENAMETOOLONG: a path over 4095 bytes; the file behind it can be asked all the same. */
	if (n < 0 && errno != ENAMETOOLONG) {
		visit_failed(v, -errno);
		return;
	}
	/* "pipe:[1]", "socket:[2]", "anon_inode:..." and memfds are files of no
	 * device that was asked for. */
	if (n > 0 && (link[0] != '/' || span_starts((struct span){ link, (size_t)n }, "/memfd:")))
		return;
	r = look_behind(dir, name, STATX_TYPE | STATX_INO, &stx);
	key = file_key(&stx);
	if (r < 0 || !is_wanted_device(v->w, key.dev) || !S_ISREG(stx.stx_mode)) {
		visit_failed(v, r);
		return;
	}
	/* The number may be given to another file between two calls: what does not hold
	 * together is as good as closed. The device is memory, it answers at once. */
	r = link_access(dir, name, &access);
	if (r == 0)
		r = look_behind(dir, name, STATX_BASIC_STATS, &stx);
	then = file_key(&stx);
	if (r < 0 || then.dev != key.dev || then.ino != key.ino) {
		visit_failed(v, r);
		return;
	}
	add_holding(v, (struct holding){ .key = key, .fd = fd, .access = access });
	if (stx.stx_nlink > 0)
		return;
	/* What it was called, if that is not too long to be told. */
	if (n < 0)
		add_nameless(v->w, &key, &stx, (struct span){ 0 });
	else if (readlinkat(dir, name, again, sizeof(again)) == n && memcmp(link, again, (size_t)n) == 0)
		add_nameless(v->w, &key, &stx, (struct span){ link, (size_t)n });
}

void visit_descriptors(struct visit *v, int dir, const char *path)
{
	_cleanup_(close_fd) int fds = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *numbers = NULL;
	int64_t n;

	if (fds < 0) {
		visit_failed(v, -errno);
		return;
	}
	n = read_numbers(fds, &numbers);
	visit_failed(v, n < 0 ? (int)n : 0);
	for (int64_t i = 0; i < n; i++) {
		char name[12];

		snprintf(name, sizeof(name), "%u", numbers[i]);
		visit_descriptor(v, fds, name, (int)numbers[i]);
	}
}

/* A mapped file that was unlinked: what it is, only its link in map_files tells. */
static void nameless_mapping(struct visit *v, int dir, const struct map_line *map,
			     const struct object_key *key)
{
	struct object_key then;
	struct statx stx;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)map->start,
		 (unsigned long long)map->end);
	r = look_behind(dir, path, STATX_BASIC_STATS, &stx);
	then = file_key(&stx);
	/* Without the capabilities that map_files wants, or behind a dead leader, no more
	 * can be told than the line says. */
	if (r == -EPERM || r == -EACCES || (r < 0 && v->stat.state == 'Z'))
		add_nameless(v->w, key, NULL, map->path);
	else if (r < 0)
		visit_failed(v, r);
	else if (then.dev == key->dev && then.ino == key->ino && stx.stx_nlink == 0)
		add_nameless(v->w, key, &stx, map->path);
}

/* Ids of segments mean something in their own IPC namespace only. */
static bool is_our_namespace(struct visit *v)
{
	char path[48], link[64];
	ssize_t n;

	if (v->ipc_namespace == NOT_ASKED) {
		snprintf(path, sizeof(path), "%u/task/%u/ns/ipc", v->pid, v->tid ? v->tid : v->pid);
		n = readlinkat(v->w->proc, path, link, sizeof(link));
		visit_failed(v, n < 0 ? -errno : 0);
		v->ipc_namespace = n >= 0 && span_is((struct span){ link, (size_t)n }, v->w->ipc_namespace) ?
					   SAME :
					   OTHER;
	}
	return v->ipc_namespace == SAME;
}

static void visit_mapping(struct visit *v, int dir, const struct map_line *map)
{
	uint8_t access =
		(uint8_t)((map->read ? ACCESS_READ : 0) | (map->write && map->shared ? ACCESS_WRITE : 0));
	struct object_key key = { OBJECT_FILE, makedev((unsigned)map->major, (unsigned)map->minor),
				  map->inode };
	struct holding holding = {
		.key = key, .fd = -1, .access = access, .start = map->start, .end = map->end
	};

	if (v->w->request->sysv && attach_is_segment(map, v->w->devices)) {
		holding.key = (struct object_key){ OBJECT_SYSV, 0, map->inode };
		if (is_our_namespace(v))
			add_holding(v, holding);
		return;
	}
	if (map->inode == 0 || !is_wanted_device(v->w, key.dev))
		return;
	add_holding(v, holding);
	if (without_deleted(map->path).len < map->path.len)
		nameless_mapping(v, dir, map, &key);
}

void visit_mappings(struct visit *v, int dir, const char *path)
{
	_cleanup_(close_fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct span line;
	struct map_line map;
	int r;

	if (fd < 0) {
		visit_failed(v, -errno);
		return;
	}
	while ((r = line_reader_next(&reader, &line)) > 0)
		if (maps_parse(line, &map) == 0)
			visit_mapping(v, dir, &map);
	visit_failed(v, r);
}
