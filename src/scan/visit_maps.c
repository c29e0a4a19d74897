/* SPDX-License-Identifier: MIT */
/* The mappings of one process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "scan/attach.h"
#include "scan/visit.h"

static void map_files_path(const struct map_line *map, char path[static 64])
{
	snprintf(path, 64, "map_files/%llx-%llx", (unsigned long long)map->start,
		 (unsigned long long)map->end);
}

/*
 * A mapped file as its link in map_files tells it; without the capabilities that this
 * takes, or behind a dead leader, no more can be told than the line says, which shows
 * newlines as \012.
 */
static void note_mapped_file(struct visit *v, const struct map_line *map, const struct object_key *key)
{
	bool escaped = memmem(map->path.ptr, map->path.len, "\\012", 4) != NULL;
	struct span text = map->path;
	char path[64], raw[PATH_MAX];
	struct statx stx;
	ssize_t n;
	int r;

	if (visit_knows_file(v->w, key))
		return;
	map_files_path(map, path);
	r = look_behind(v->dir, path, STATX_BASIC_STATS, &stx);
	if (r == 0 && escaped && (n = readlinkat(v->dir, path, raw, sizeof(raw))) > 0) {
		text = (struct span){ raw, (size_t)n };
		escaped = false;
	}
	if (r == -EPERM || r == -EACCES || (r < 0 && v->stat.state == 'Z'))
		visit_note_file(v, key, text, escaped, NULL);
	else if (r < 0)
		visit_failed(v, r);
	else if (stx.stx_ino == key->ino)
		visit_note_file(v, key, text, escaped, &stx);
}

/* Ids of segments mean something in their own IPC namespace only: that, or negative. */
static int64_t space_of_segments(struct visit *v)
{
	if (!v->knows_space) {
		v->ipc_space = visit_ipc_space(v);
		visit_failed(v, v->ipc_space < 0 && v->ipc_space != -ENOENT ? (int)v->ipc_space : 0);
		v->knows_space = true;
	}
	return v->ipc_space;
}

/*
 * Subvolumes of a btrfs repeat each other's inode numbers; the file itself tells its own
 * device. Without the capabilities that this takes they stay together.
 */
static void tell_subvolumes_apart(struct visit *v, const struct map_line *map, struct object_key *key)
{
	struct object_key found;
	struct statx stx;
	char path[64];

	if (!device_is_among(v->w->ambiguous, v->w->nambiguous, key->dev))
		return;
	map_files_path(map, path);
	if (look_behind(v->dir, path, STATX_TYPE | STATX_INO, &stx) < 0)
		return;
	found = file_key(key->class, &stx);
	if (found.ino == key->ino)
		key->dev = found.dev;
}

/* Most paths are clear; the others are worth a closer look. */
static void note_mapping(struct visit *v, const struct map_line *map, const struct object_key *key)
{
	if (without_deleted(map->path).len < map->path.len ||
	    memmem(map->path.ptr, map->path.len, "\\012", 4))
		note_mapped_file(v, map, key);
	else if (!found_file_find(v->w->files, &v->w->file_index, key))
		visit_note_file(v, key, map->path, false, NULL);
}

static bool has_deleted(const struct map_line *map)
{
	return without_deleted(map->path).len < map->path.len;
}

/* Memory of the kernel's own mounts: the path, which nobody can forge there, says what it is. */
static void visit_internal(struct visit *v, const struct map_line *map, struct object_key *key,
			   uint8_t access, const struct range *range)
{
	uint32_t name;
	int64_t space;

	if (attach_is_segment(map, v->w->devices, &name)) {
		space = visit_wants(v, OBJECT_SYSV) ? space_of_segments(v) : -ENOENT;
		*key = (struct object_key){ OBJECT_SYSV, device_unpack(name),
					    sysv_number((uint64_t)space, (uint32_t)map->inode) };
		if (space >= 0)
			visit_add(v, key, -1, access, range);
	} else if (span_starts(map->path, "/memfd:")) {
		key->class = OBJECT_MEMFD;
		if (!visit_wants(v, OBJECT_MEMFD))
			return;
		visit_add(v, key, -1, access, range);
		note_mapped_file(v, map, key);
	} else if (map->shared && (span_is(map->path, "/dev/zero (deleted)") ||
				   span_is(map->path, "/anon_hugepage (deleted)"))) {
		key->class = OBJECT_ANON_MAPPING;
		if (visit_wants(v, OBJECT_ANON_MAPPING))
			visit_add(v, key, -1, access, range);
	}
}

static void visit_mapping(struct visit *v, const struct map_line *map)
{
	const struct holders_request *request = v->w->request;
	uint8_t access =
		(uint8_t)((map->read ? ACCESS_READ : 0) | (map->write && map->shared ? ACCESS_WRITE : 0));
	struct object_key key = { OBJECT_FILE, makedev((unsigned)map->major, (unsigned)map->minor),
				  map->inode };
	struct range range = { map->start, map->end, map->offset };

	if (map->path.len == 0 || map->path.ptr[0] != '/')
		return;
	if (internal_devices_has(v->w->devices, key.dev)) {
		visit_internal(v, map, &key, access, &range);
	} else if (map->inode == 0) {
		return; /* only a segment may have that number */
	} else if (device_is_among(request->devices, request->ndevices, key.dev)) {
		visit_add(v, &key, -1, access, &range);
		if (has_deleted(map))
			note_mapped_file(v, map, &key);
	} else if (map->shared && visit_wants(v, OBJECT_FILE_MAPPING) &&
		   !device_is_among(request->excluded, request->nexcluded, key.dev)) {
		key.class = OBJECT_FILE_MAPPING;
		tell_subvolumes_apart(v, map, &key);
		visit_add(v, &key, -1, access, &range);
		note_mapping(v, map, &key);
	}
}

void visit_mappings(struct visit *v, const char *table)
{
	_cleanup_(close_fd) int fd = -1;
	struct line_reader reader = { .text = v->w->text };
	struct span line;
	struct map_line map;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%s/maps", table);
	fd = openat(v->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		visit_failed(v, -errno);
		return;
	}
	reader.fd = fd;
	buf_reset(&reader.text);
	while ((r = line_reader_next(&reader, &line)) > 0)
		if (maps_parse(line, &map) == 0)
			visit_mapping(v, &map);
	v->w->text = reader.text;
	visit_failed(v, r);
}
