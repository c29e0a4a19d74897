/* SPDX-License-Identifier: MIT */
#include "scan/binds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/hash.h"
#include "lib/vec.h"
#include "scan/mountinfo.h"
#include "scan/process.h"

static int add_source(struct bind_sources *b, const struct mount_line *mount)
{
	_cleanup_(buf_free) struct buf path = { 0 };
	struct bind_source source = { .dev = makedev((unsigned)mount->major, (unsigned)mount->minor) };

	if (span_is(mount->root, "/"))
		return 0;
	mountinfo_unescape(mount->root, &path);
	if (path.failed)
		return -ENOMEM;
	source.path = arena_span(&b->arena, buf_span(&path));
	if (!source.path.ptr || vec_reserve(&b->items, b->count, sizeof(*b->items)) < 0)
		return -ENOMEM;
	b->items[b->count++] = source;
	return 0;
}

/* Those of one namespace, as a process in it has them. 0 or -errno. */
static int read_mounts(struct bind_sources *b, int dir, const char *path)
{
	_cleanup_(close_fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct mount_line mount;
	struct span line;
	int r = fd < 0 ? -errno : 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0)
		if (mountinfo_parse(line, &mount) == 0 && add_source(b, &mount) < 0)
			r = -ENOMEM;
	return r;
}

/* Whether a process has ended (EINVAL: mounts_open_common() in fs/proc_namespace.c). */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH || error == -EINVAL;
}

/* Those of the namespace that a process is in, if it is not among the seen: then it is noted. 0 or -errno. */
static int read_those_of(struct bind_sources *b, int dir, uint32_t pid, struct hash *seen)
{
	struct stat st;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%u/ns/mnt", pid);
	if (fstatat(dir, path, &st, 0) < 0)
		return -errno;
	if (hash_find(seen, st.st_ino, NULL))
		return 0;
	snprintf(path, sizeof(path), "%u/mountinfo", pid);
	r = read_mounts(b, dir, path);
	/* If the process ended meanwhile, the next one in there tells. */
	return r < 0 ? r : hash_add(seen, st.st_ino, 0);
}

/* Those of the other namespaces: one process of each tells. 0 or -errno. */
static int read_others(struct bind_sources *b, const struct scan_context *context)
{
	_cleanup_(close_fd) int dir = openat(context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n = read_numbers(dir, &pids);
	struct hash seen = { 0 };
	struct stat st;
	int r = n < 0 ? (int)n : 0;

	if (r == 0 && stat("/proc/self/ns/mnt", &st) == 0)
		r = hash_add(&seen, st.st_ino, 0);
	for (int64_t i = 0; r == 0 && i < n; i++) {
		r = read_those_of(b, dir, pids[i], &seen);
		b->hidden |= r == -EACCES || r == -EPERM;
		if (is_gone(r) || r == -EACCES || r == -EPERM)
			r = 0;
	}
	hash_free(&seen);
	return r;
}

void bind_sources_read(struct bind_sources *b, const struct scan_context *context)
{
	if (b->read)
		return;
	b->read = true;
	b->error = read_mounts(b, AT_FDCWD, "/proc/self/mountinfo");
	if (b->error == 0)
		b->error = read_others(b, context);
}

bool bind_sources_has(const struct bind_sources *b, uint64_t dev, struct span path)
{
	for (size_t i = 0; i < b->count; i++) {
		struct span source = b->items[i].path;

		if (b->items[i].dev == dev && source.len == path.len + 1 &&
		    memcmp(source.ptr + 1, path.ptr, path.len) == 0)
			return true;
	}
	return false;
}

void bind_sources_free(struct bind_sources *b)
{
	free(b->items);
	arena_free(&b->arena);
	*b = (struct bind_sources){ 0 };
}
