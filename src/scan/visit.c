/* SPDX-License-Identifier: MIT */
/* What looking at descriptors and at mappings has in common. */
#include "scan/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/vec.h"
#include "scan/cached.h"
#include "scan/proclink.h"
#include "scan/terminals.h"

/* Whether an error means that the process, thread or descriptor is gone. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

void visit_failed(struct visit *v, int error)
{
	char task[24];

	if (error == -ENOMEM || error == -EMFILE || error == -ENFILE) {
		v->w->error = error; /* it would go on so: the walk fails */
	} else if (error < 0 && !v->refused) {
		snprintf(task, sizeof(task), "task/%u", v->tid ? v->tid : v->holder->pid);
		v->refused = !is_gone(proc_link_error(v->dir, task, error));
	}
}

void visit_free(struct visit *v)
{
	terminals_free(v->terminals);
	v->terminals = NULL;
}

bool device_is_among(const uint64_t *devices, size_t count, uint64_t dev)
{
	for (size_t i = 0; i < count; i++)
		if (devices[i] == dev)
			return true;
	return false;
}

/* Numbers of mappings' ranges share the field with descriptors. */
static int add_range(struct walker *w, const struct range *range)
{
	if (w->nranges >= INT32_MAX || vec_reserve(&w->ranges, w->nranges, sizeof(*w->ranges)) < 0)
		return -ENOMEM;
	w->ranges[w->nranges++] = *range;
	return 0;
}

void visit_add(struct visit *v, const struct object_key *key, int fd, uint8_t access,
	       const struct range *range)
{
	struct walker *w = v->w;

	if (!v->holder->command.ptr)
		v->holder->command = arena_span(&w->arena, v->stat.command);
	if (!v->holder->command.ptr || (range && add_range(w, range) < 0) ||
	    vec_reserve(&w->holdings, w->nholdings, sizeof(*w->holdings)) < 0) {
		w->error = -ENOMEM;
		return;
	}
	w->holdings[w->nholdings++] = (struct holding){
		.ino = key->ino,
		.dev = device_pack(key->dev),
		.holder = v->index,
		.next = NO_HOLDING,
		.fd = range ? (int32_t)-w->nranges : fd,
		/* Memory is the process's; behind a dead leader only the thread shows it. */
		.tid = range && v->stat.state != 'Z' ? 0 : v->tid,
		.class = (uint8_t)key->class,
		.access = access,
	};
}

struct span without_deleted(struct span path)
{
	const struct span tail = SPAN(" (deleted)");

	if (path.len > tail.len && span_is(span_from(path, path.len - tail.len), tail.ptr))
		path.len -= tail.len;
	return path;
}

bool visit_knows_file(const struct walker *w, const struct object_key *key)
{
	const struct found_file *file = found_file_find(w->files, &w->file_index, key);

	return file && found_file_is_whole(file);
}

/* Whether a path leads to the file for us too; no file system is waited for. */
static bool leads_to_file(struct walker *w, struct span path, const struct object_key *key)
{
	struct span name = arena_span(&w->arena, path);
	struct object_key found;
	struct statx stx;

	if (!name.ptr || lookup_cached(AT_FDCWD, name.ptr, false, false, &stx) < 0)
		return false;
	found = file_key(key->class, &stx);
	return object_same(&found, key);
}

int visit_shares(const struct visit *v, const char *namespace, const char *ours)
{
	char path[48], link[64];
	ssize_t n;

	/* Ours could not be read: everybody's is another then. */
	if (!*ours)
		return -EACCES;
	snprintf(path, sizeof(path), "task/%u/ns/%s", v->tid ? v->tid : v->holder->pid, namespace);
	n = proc_link_read(v->dir, path, link, sizeof(link));
	return n < 0 ? (int)n : span_is((struct span){ link, (size_t)n }, ours);
}

int64_t visit_ipc_space(const struct visit *v)
{
	int r = visit_shares(v, "ipc", v->w->ipc_namespace);
	char path[48];
	uint64_t number;

	if (r != 0)
		return r < 0 ? r : 0;
	if (!v->w->request->everywhere)
		return -ENOENT;
	snprintf(path, sizeof(path), "task/%u/ns/ipc", v->tid ? v->tid : v->holder->pid);
	number = namespace_number(v->dir, path);
	return number ? (int64_t)number : -ENOENT;
}

void visit_note_file(struct visit *v, const struct object_key *key, struct span path, bool escaped,
		     const struct statx *stx)
{
	struct walker *w = v->w;
	struct found_file file = { .key = *key,
				   .path = arena_span(&w->arena, without_deleted(path)),
				   .escaped = escaped };

	if (stx) {
		file.deleted = stx->stx_nlink == 0;
	} else if (file.path.len < path.len) {
		file.deleted = !leads_to_file(w, path, key);
		/* If it were there, and for us, the kernel would have it at hand. */
		file.guessed = file.deleted && visit_shares(v, "mnt", w->mount_namespace) != 1;
	}
	/* A live file may be called so. */
	if (!file.deleted)
		file.path = arena_span(&w->arena, path);
	if (stx) {
		file.described = true;
		file.mode = stx->stx_mode;
		file.uid = stx->stx_uid;
		file.gid = stx->stx_gid;
		file.links = stx->stx_nlink;
		file.size = stx->stx_size;
		file.allocated = stx->stx_blocks * 512;
		file.atime = stx->stx_atime.tv_sec;
		file.mtime = stx->stx_mtime.tv_sec;
		file.ctime = stx->stx_ctime.tv_sec;
	}
	if (!file.path.ptr || found_file_add(&w->files, &w->nfiles, &w->file_index, &file) < 0)
		w->error = -ENOMEM;
}

int look_behind(int dir, const char *name, unsigned mask, struct statx *stx)
{
	return statx_at(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, mask, stx);
}

struct object_key file_key(enum object_class class, const struct statx *stx)
{
	return (struct object_key){ class, makedev(stx->stx_dev_major, stx->stx_dev_minor), stx->stx_ino };
}
