/* SPDX-License-Identifier: MIT */
#include "kind/inet_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "lib/file.h"
#include "scan/mountinfo.h"

#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS of linux/exportfs.h */

/* Where the hierarchy is mounted. 0 or -errno. */
static int find_mount(struct buf *target)
{
	_cleanup_(close_fd) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct line_reader reader = { .fd = fd };
	struct mount_line mount;
	struct span line;
	int r = fd < 0 ? -errno : 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0) {
		if (mountinfo_parse(line, &mount) < 0 || !span_is(mount.fstype, "cgroup2"))
			continue;
		mountinfo_unescape(mount.target, target);
		break;
	}
	line_reader_free(&reader);
	if (r < 0)
		return r;
	return r == 0 ? -ENODEV : buf_cstr(target) ? 0 : -ENOMEM;
}

static int open_group(const char *mount, uint64_t id)
{
	_cleanup_(close_fd) int at = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union {
		struct file_handle head;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} handle = { .head = { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS } };
	int fd;

	if (at < 0)
		return -errno;
	memcpy(handle.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(at, &handle.head, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_path(uint64_t id, struct arena *arena, struct span *path)
{
	_cleanup_(buf_free) struct buf mount = { 0 };
	_cleanup_(close_fd) int fd = -1;
	char link[32], text[PATH_MAX];
	struct span found;
	ssize_t n;
	int r = find_mount(&mount);

	if (r < 0)
		return r;
	fd = open_group(mount.data, id);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text));
	if (n < 0)
		return -errno;
	found = (struct span){ text, (size_t)n };
	/* One outside what is mounted here has no path that would mean something. */
	if (!span_starts(found, mount.data))
		return -ENODEV;
	found = span_from(found, mount.len);
	if (found.len > 0 && found.ptr[0] != '/')
		return -ENODEV;
	*path = arena_span(arena, found.len ? found : SPAN("/"));
	return path->ptr ? 0 : -ENOMEM;
}
