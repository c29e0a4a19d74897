/* SPDX-License-Identifier: MIT */
#include "scan/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"

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

bool attach_is_segment(const struct map_line *map, const struct internal_devices *devices, uint32_t *key)
{
	const struct span head = SPAN("/SYSV"), tail = SPAN(" (deleted)");
	const size_t digits = 8;
	uint64_t number;

	/* A name alone proves nothing: anybody may call a file so. */
	if (!map->shared || map->path.len != head.len + digits + tail.len ||
	    !span_starts(map->path, head.ptr) ||
	    !span_is(span_from(map->path, map->path.len - tail.len), tail.ptr) ||
	    !internal_devices_has(devices, makedev((unsigned)map->major, (unsigned)map->minor)) ||
	    parse_hex((struct span){ map->path.ptr + head.len, digits }, &number) < 0)
		return false;
	*key = (uint32_t)number;
	return true;
}

const struct holding *attach_holding(const struct holders *h, uint64_t ipcns, const struct sysv_perm *perm)
{
	const uint64_t number = sysv_number(ipcns, perm->id);
	const struct holding *found =
		holders_find(h, &(struct object_key){ OBJECT_SYSV, device_unpack(perm->key), number });

	for (size_t i = 0; perm->perms & SYSV_SHM_DEST && !found && i < h->classes[OBJECT_SYSV].count; i++) {
		const struct holding *g = object_holding(h, OBJECT_SYSV, i);

		if (g->ino == number)
			found = g;
	}
	return found;
}

int attach_find(const struct holders *h, int proc, const struct holding *first, uint64_t size,
		struct attach *attach)
{
	int r = 0, error = 0;

	for (const struct holding *g = first; r != 1 && g; g = holding_next(h, g)) {
		const struct range *range = holding_range(h, g);

		if (!range || range->offset != 0 || range->end - range->start < size)
			continue;
		*attach = (struct attach){ .pid = holding_holder(h, g)->pid,
					   .start = range->start,
					   .end = range->end };
		r = read_flags(proc, attach);
		r = r == 0 ? 1 : r;
		/* A process that ends or detaches meanwhile holds nothing any more. */
		if (r < 0 && r != -ENOENT && r != -ESRCH && r != -ENODATA)
			error = r == -EPERM ? -EACCES : r;
	}
	if (r == 1)
		return 1;
	return error == 0 && h->unreadable ? -EACCES : error;
}

int attach_open(int proc, uint32_t id, const struct attach *attach)
{
	struct internal_devices devices;
	struct stat st;
	char path[80];
	int fd, r;

	snprintf(path, sizeof(path), "%u/map_files/%llx-%llx", attach->pid, (unsigned long long)attach->start,
		 (unsigned long long)attach->end);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	/* The process may have mapped something else there since. */
	r = internal_devices_read(&devices);
	if (r == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == id &&
	    internal_devices_has(&devices, st.st_dev))
		return fd;
	close_fd(&fd);
	return r < 0 ? r : -ESTALE;
}
