/* SPDX-License-Identifier: MIT */
#include "scan/attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/maps.h"

static bool parse_pid(const char *name, uint32_t *pid)
{
	uint64_t v;

	if (name[0] < '1' || name[0] > '9' || parse_u64_in(span_of(name), 1, INT32_MAX, &v) < 0)
		return false;
	*pid = (uint32_t)v;
	return true;
}

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
	_cleanup_(buf_free) struct buf text = { 0 };
	char path[32], head[48];
	struct span rest, line, word;
	bool inside = false;
	uint64_t kib;
	int r;

	snprintf(path, sizeof(path), "%u/smaps", attach->pid);
	snprintf(head, sizeof(head), "%llx-%llx", (unsigned long long)attach->start,
		 (unsigned long long)attach->end);
	r = read_file_at(proc, path, &text);
	rest = buf_span(&text);
	while (r == 0 && next_line(&rest, &line)) {
		struct span tail = line;

		if (!next_word(&tail, &word))
			continue;
		if (!inside) {
			inside = span_starts(word, head) || span_is(word, head);
		} else if (span_is(word, "KernelPageSize:") && next_u64(&tail, &kib) == 0) {
			attach->page_size = kib << 10;
		} else if (span_is(word, "VmFlags:")) {
			while (next_word(&tail, &word)) {
				attach->hugetlb |= span_is(word, "ht");
				attach->noreserve |= span_is(word, "nr");
			}
			return 0;
		}
	}
	return r < 0 ? r : -ENODATA;
}

/* 1 if this process has it attached, 0 if not, or -errno. */
static int look_at(int proc, uint32_t pid, uint32_t id, uint64_t size, struct buf *text, struct attach *attach)
{
	char path[32];
	struct span rest, line;
	int r;

	snprintf(path, sizeof(path), "%u/maps", pid);
	buf_reset(text);
	r = read_file_at(proc, path, text);
	rest = buf_span(text);
	while (r == 0 && next_line(&rest, &line)) {
		struct map_line map;

		if (!memmem(line.ptr, line.len, "/SYSV", 5) || maps_parse(line, &map) < 0 || !map.shared ||
		    map.inode != id || map.offset != 0 || !span_starts(map.path, "/SYSV") ||
		    map.end - map.start < size)
			continue;
		if (!same_namespace(proc, pid))
			return 0;
		*attach = (struct attach){ .pid = pid, .start = map.start, .end = map.end };
		r = read_flags(proc, attach);
		return r < 0 ? r : 1;
	}
	return r;
}

int attach_find(int proc, uint32_t id, uint64_t size, struct attach *attach)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	int copy = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	bool refused = false;
	uint32_t pid;
	int r = 0;

	if (!dir) {
		r = -errno;
		close_fd(&copy);
		return r;
	}
	while (r != 1 && r != -ENOMEM && (entry = readdir(dir)) != NULL) {
		if (!parse_pid(entry->d_name, &pid))
			continue;
		r = look_at(proc, pid, id, size, &text, attach);
		/* A process that ends meanwhile holds nothing any more. */
		refused |= r == -EACCES || r == -EPERM;
	}
	closedir(dir);
	if (r == 1 || r == -ENOMEM)
		return r;
	return refused ? -EACCES : 0;
}

int attach_open(int proc, const struct attach *attach)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%u/map_files/%llx-%llx", attach->pid, (unsigned long long)attach->start,
		 (unsigned long long)attach->end);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}
