/* SPDX-License-Identifier: MIT */
#include "scan/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/process.h"

/* Whether both links name the same IPC namespace. One that cannot be read is
 * taken to: it could be mapped, so it belongs to somebody we may read. */
static bool same_namespace(int proc, uint32_t pid)
{
	char path[48], ours[64], theirs[64];
	ssize_t a, b;

	snprintf(path, sizeof(path), "%u/ns/ipc", pid);
	a = readlinkat(proc, "self/ns/ipc", ours, sizeof(ours));
	b = readlinkat(proc, path, theirs, sizeof(theirs));
	return a < 0 || b < 0 || (a == b && memcmp(ours, theirs, (size_t)a) == 0);
}

/* The lines of smaps that follow the mapping's own: page size and flags. */
static int read_flags(int proc, struct attach *attach)
{
	_cleanup_(close_fd) int fd = -1;
	_cleanup_(line_reader_free) struct line_reader reader = { 0 };
	char path[32], head[48];
	struct span line, word;
	bool inside = false;
	uint64_t kib;
	int r;

	snprintf(path, sizeof(path), "%u/smaps", attach->pid);
	snprintf(head, sizeof(head), "%llx-%llx", (unsigned long long)attach->start,
		 (unsigned long long)attach->end);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	reader.fd = fd;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		if (!next_word(&line, &word))
			continue;
		if (!inside) {
			inside = span_is(word, head);
		} else if (span_is(word, "KernelPageSize:") && next_u64(&line, &kib) == 0) {
			attach->page_size = kib << 10;
		} else if (span_is(word, "VmFlags:")) {
			while (next_word(&line, &word)) {
				attach->hugetlb |= span_is(word, "ht");
				attach->noreserve |= span_is(word, "nr");
			}
			return 0;
		}
	}
	return r < 0 ? r : -ENODATA;
}

/* What is looked for. */
struct quest {
	int proc;
	uint32_t id;
	uint64_t size;
	struct internal_devices devices;
};

bool attach_is_segment(const struct map_line *map, const struct internal_devices *devices)
{
	const struct span head = SPAN("/SYSV"), tail = SPAN(" (deleted)");

	/* A name alone proves nothing: anybody may call a file so. */
	return map->shared && map->path.len == head.len + 8 + tail.len && span_starts(map->path, head.ptr) &&
	       span_is(span_from(map->path, map->path.len - tail.len), tail.ptr) &&
	       internal_devices_has(devices, makedev((unsigned)map->major, (unsigned)map->minor));
}

/* 1 if this process has it attached, 0 if not, or -errno. */
static int look_at(const struct quest *q, uint32_t pid, struct attach *attach)
{
	_cleanup_(close_fd) int fd = -1;
	_cleanup_(line_reader_free) struct line_reader reader = { 0 };
	struct map_line map;
	struct span line;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%u/maps", pid);
	fd = openat(q->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	reader.fd = fd;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		if (!memmem(line.ptr, line.len, "/SYSV", 5) || maps_parse(line, &map) < 0 ||
		    !attach_is_segment(&map, &q->devices) || map.inode != q->id || map.offset != 0 ||
		    map.end - map.start < q->size)
			continue;
		if (!same_namespace(q->proc, pid))
			return 0;
		*attach = (struct attach){ .pid = pid, .start = map.start, .end = map.end };
		r = read_flags(q->proc, attach);
		return r < 0 ? r : 1;
	}
	return r;
}

int attach_find(int proc, uint32_t id, uint64_t size, struct attach *attach)
{
	struct quest q = { .proc = proc, .id = id, .size = size };
	_cleanup_(close_fd) int copy = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n = copy < 0 ? -errno : read_numbers(copy, &pids);
	int r = 0, error = n < 0 ? (int)n : 0;

	internal_devices_read(&q.devices);
	for (int64_t i = 0; r != 1 && i < n; i++) {
		r = look_at(&q, pids[i], attach);
		/* A process that ends or detaches meanwhile holds nothing any more; refusal is the
		 * weakest of the errors. */
		if (r < 0 && r != -ENOENT && r != -ESRCH && r != -ENODATA && (error == 0 || error == -EACCES))
			error = r == -EPERM ? -EACCES : r;
	}
	return r == 1 ? 1 : error;
}

int attach_open(int proc, uint32_t id, const struct attach *attach)
{
	struct internal_devices devices;
	struct stat st;
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%u/map_files/%llx-%llx", attach->pid, (unsigned long long)attach->start,
		 (unsigned long long)attach->end);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	/* The process may have mapped something else there since. */
	internal_devices_read(&devices);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == id &&
	    internal_devices_has(&devices, st.st_dev))
		return fd;
	close_fd(&fd);
	return -ESTALE;
}
