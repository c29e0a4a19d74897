/* SPDX-License-Identifier: MIT */
#include "scan/regions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/attach.h"
#include "scan/process.h"
#include "scan/proclink.h"

/* Which C library the process has mapped; a static program tells none. */
static enum futex_libc libc_of(struct span path)
{
	const char *slash = memrchr(path.ptr, '/', path.len);
	struct span name = slash ? span_from(path, (size_t)(slash + 1 - path.ptr)) : path;

	/* musl's is one file, whatever links lead to it; glibc's is called libc.so.6. */
	if (span_starts(name, "ld-musl-") || span_starts(name, "libc.musl-") || span_is(name, "libc.so"))
		return LIBC_MUSL;
	if (span_starts(name, "libc.so.6") || span_starts(name, "libc-2.") || span_starts(name, "ld-linux"))
		return LIBC_GLIBC;
	return LIBC_UNKNOWN;
}

static bool is_local(const struct region_reader *reader, uint64_t dev)
{
	return reader->mounts && mounts_flags(reader->mounts, dev) & MOUNT_LOCAL;
}

/* Ids of segments mean something in their own IPC namespace only. */
static uint64_t segment_space(const struct regions *regions, const struct region_reader *reader)
{
	char path[48];
	uint64_t number;

	snprintf(path, sizeof(path), "%u/task/%u/ns/ipc", regions->pid, regions->tid);
	number = namespace_number(reader->proc, path);
	return number == reader->ipc_namespace ? 0 : number ? number : UINT64_MAX;
}

/* Which object a mapping shows; false: none that processes share. */
static bool classify(const struct regions *regions, const struct region_reader *reader,
		     const struct map_line *map, struct region *region)
{
	uint64_t dev = makedev((unsigned)map->major, (unsigned)map->minor);
	struct memory_object *o = &region->object;
	uint32_t name;

	if (!map->shared || map->path.len == 0 || map->path.ptr[0] != '/')
		return false;
	*o = (struct memory_object){ { OBJECT_FILE_MAPPING, dev, map->inode }, 0 };
	region->local = true;
	if (attach_is_segment(map, reader->devices, &name)) {
		o->key = (struct object_key){ OBJECT_SYSV, device_unpack(name), map->inode };
		o->space = segment_space(regions, reader);
	} else if (internal_devices_has(reader->devices, dev)) {
		o->key.class = span_starts(map->path, "/memfd:") ? OBJECT_MEMFD : OBJECT_ANON_MAPPING;
	} else if (dev == reader->shm_dev) {
		o->key.class = OBJECT_FILE;
	} else {
		region->local = is_local(reader, dev);
	}
	return true;
}

static int add(struct regions *regions, const struct region_reader *reader, const struct map_line *map)
{
	struct region region = { map->start, map->end, map->offset, { { 0 }, 0 }, false, { 0 } };

	if (regions->libc == LIBC_UNKNOWN && !map->shared && map->path.len > 0)
		regions->libc = libc_of(map->path);
	if (!classify(regions, reader, map, &region))
		return 0;
	region.path = arena_span(&regions->arena, map->path);
	if (!region.path.ptr || vec_reserve(&regions->items, regions->count, sizeof(region)) < 0)
		return -ENOMEM;
	regions->items[regions->count++] = region;
	return 0;
}

static int read_thread(struct regions *regions, const struct region_reader *reader, uint32_t tid)
{
	_cleanup_(close_fd) int fd = -1;
	_cleanup_(line_reader_free) struct line_reader lines = { .fd = -1 };
	struct map_line map;
	struct span line;
	char path[48];
	int r = 1;

	regions->tid = tid;
	snprintf(path, sizeof(path), "%u/task/%u/maps", regions->pid, tid);
	fd = openat(reader->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		regions->error = -errno;
		return 0;
	}
	lines.fd = fd;
	while (r > 0 && (r = line_reader_next(&lines, &line)) > 0)
		if (maps_parse(line, &map) == 0 && add(regions, reader, &map) < 0)
			return -ENOMEM;
	regions->error = r;
	return r == -ENOMEM ? r : 0;
}

int regions_read(struct regions *regions, const struct region_reader *reader, uint32_t pid, uint32_t tid)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[24];
	int64_t n = 0;
	int r;

	*regions = (struct regions){ .pid = pid };
	r = read_thread(regions, reader, tid ? tid : pid);
	if (tid || r < 0 || regions->error || regions->count > 0)
		return r;
	/* The leader may be dead, and its threads not. */
	snprintf(path, sizeof(path), "%u/task", pid);
	dir = openat(reader->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(dir, &tids);
	if (n < 0)
		regions->error = (int)n;
	for (int64_t i = 0; i < n && r == 0 && regions->count == 0; i++)
		if (tids[i] != pid)
			r = read_thread(regions, reader, tids[i]);
	return n == -ENOMEM ? -ENOMEM : r;
}

const struct region *regions_find(const struct regions *regions, uint64_t address)
{
	size_t low = 0, high = regions->count;

	/* The kernel tells them in the order of addresses. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct region *region = &regions->items[middle];

		if (address < region->start)
			high = middle;
		else if (address >= region->end)
			low = middle + 1;
		else
			return region;
	}
	return NULL;
}

void regions_free(struct regions *regions)
{
	free(regions->items);
	arena_free(&regions->arena);
	*regions = (struct regions){ 0 };
}

bool memory_object_same(const struct memory_object *a, const struct memory_object *b)
{
	return object_same(&a->key, &b->key) && a->space == b->space;
}
