/* SPDX-License-Identifier: MIT */
#include "scan/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"

int mountinfo_parse(struct span line, struct mount_line *out)
{
	struct span word, source;
	const char *colon;

	/* ID parent major:minor root target options [optional...] - fstype source super */
	if (!next_word(&line, &word) || parse_u64(word, &out->id) < 0 || !next_word(&line, &word) ||
	    !next_word(&line, &word))
		return -EINVAL;
	colon = memchr(word.ptr, ':', word.len);
	if (!colon || parse_u64((struct span){ word.ptr, (size_t)(colon - word.ptr) }, &out->major) < 0 ||
	    parse_u64(span_from(word, (size_t)(colon - word.ptr) + 1), &out->minor) < 0)
		return -EINVAL;
	if (!next_word(&line, &out->root) || !next_word(&line, &out->target) || !next_word(&line, &word))
		return -EINVAL;
	do
		if (!next_word(&line, &word))
			return -EINVAL;
	while (!span_is(word, "-"));
	if (!next_word(&line, &out->fstype))
		return -EINVAL;
	if (!next_word(&line, &source) || !next_word(&line, &out->super))
		out->super = (struct span){ 0 };
	return 0;
}

void mountinfo_unescape(struct span path, struct buf *out)
{
	for (size_t i = 0; i < path.len; i++) {
		const char *p = path.ptr + i;

		if (*p == '\\' && path.len - i >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
		    p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			buf_putc(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
			i += 3;
		} else {
			buf_putc(out, *p);
		}
	}
}

static unsigned flags_of(struct span fstype)
{
	static const struct {
		const char *name;
		unsigned flags;
	} known[] = {
		{ "tmpfs", MOUNT_LOCAL },
		{ "ramfs", MOUNT_LOCAL },
		{ "devtmpfs", MOUNT_LOCAL | MOUNT_DEVICES },
		{ "rootfs", MOUNT_LOCAL },
		{ "ext2", MOUNT_LOCAL },
		{ "ext3", MOUNT_LOCAL },
		{ "ext4", MOUNT_LOCAL },
		{ "xfs", MOUNT_LOCAL },
		{ "f2fs", MOUNT_LOCAL },
		{ "zfs", MOUNT_LOCAL },
		{ "jfs", MOUNT_LOCAL },
		{ "btrfs", MOUNT_LOCAL | MOUNT_SUBVOLUMES },
		{ "bcachefs", MOUNT_LOCAL | MOUNT_REPEATS },
		{ "overlay", MOUNT_STACKED },
		{ "aufs", MOUNT_STACKED },
		{ "devpts", MOUNT_KERNELS },
		{ "mqueue", MOUNT_KERNELS },
		{ "hugetlbfs", MOUNT_KERNELS },
		{ "proc", MOUNT_KERNELS },
		{ "sysfs", MOUNT_KERNELS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (span_is(fstype, known[i].name))
			return known[i].flags;
	return 0;
}

/* The piece before a separator, which is cut off the rest together with it. */
static struct span cut(struct span *rest, char separator)
{
	const char *end = memchr(rest->ptr, separator, rest->len);
	struct span piece = { rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };

	*rest = span_from(*rest, end ? piece.len + 1 : piece.len);
	return piece;
}

/* Directories of one option, such as "upperdir=/a" or "lowerdir=/a:/b". */
static int add_directories(struct mounts *m, struct span option)
{
	const char *equals = option.len ? memchr(option.ptr, '=', option.len) : NULL;
	struct span rest;

	if (!equals || !(span_starts(option, "upperdir") || span_starts(option, "lowerdir")))
		return 0;
	rest = span_from(option, (size_t)(equals - option.ptr) + 1);
	while (rest.len > 0) {
		struct span directory = cut(&rest, ':');

		if (directory.len == 0)
			continue;
		directory = arena_span(&m->arena, directory);
		if (!directory.ptr || vec_reserve(&m->layers, m->nlayers, sizeof(*m->layers)) < 0)
			return -ENOMEM;
		m->layers[m->nlayers++] = directory;
	}
	return 0;
}

/* The options of an overlay are separated by commas; one within a path is escaped. */
static int add_layers(struct mounts *m, struct span options)
{
	int r = 0;

	while (r == 0 && options.len > 0) {
		_cleanup_(buf_free) struct buf plain = { 0 };

		mountinfo_unescape(cut(&options, ','), &plain);
		r = plain.failed ? -ENOMEM : add_directories(m, buf_span(&plain));
	}
	return r;
}

static int add_mount(struct mounts *m, const struct mount_line *line)
{
	if (vec_reserve(&m->items, m->count, sizeof(*m->items)) < 0)
		return -ENOMEM;
	m->items[m->count++] = (struct mount){ .id = line->id,
					       .dev = makedev((unsigned)line->major, (unsigned)line->minor),
					       .flags = flags_of(line->fstype) };
	return span_is(line->fstype, "overlay") ? add_layers(m, line->super) : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct mount *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int mounts_read_from(struct mounts *m, int fd)
{
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct mount_line mount;
	struct span line;
	int r = 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0)
		if (mountinfo_parse(line, &mount) == 0 && add_mount(m, &mount) < 0)
			r = -ENOMEM;
	if (r < 0)
		mounts_free(m);
	else if (m->count > 0)
		qsort(m->items, m->count, sizeof(*m->items), by_id);
	return r;
}

int mounts_read(struct mounts *m)
{
	_cleanup_(close_fd) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : mounts_read_from(m, fd);
}

unsigned mounts_flags(const struct mounts *m, uint64_t dev)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->items[i].dev == dev)
			return m->items[i].flags;
	return 0;
}

void mounts_free(struct mounts *m)
{
	free(m->items);
	free(m->layers);
	arena_free(&m->arena);
	*m = (struct mounts){ 0 };
}

const struct mount *mounts_find(const struct mounts *m, uint64_t id)
{
	const struct mount key = { .id = id };

	return m->count ? bsearch(&key, m->items, m->count, sizeof(*m->items), by_id) : NULL;
}

static bool holds_at(struct span directory, struct span path, size_t at)
{
	return at + directory.len < path.len && memcmp(path.ptr + at, directory.ptr, directory.len) == 0 &&
	       path.ptr[at + directory.len] == '/';
}

bool mounts_in_layer(const struct mounts *m, struct span path)
{
	for (size_t i = 0; i < m->nlayers; i++) {
		if (holds_at(m->layers[i], path, 0))
			return true;
		for (size_t at = 1; m->layers[i].ptr[0] != '/' && at < path.len; at++)
			if (path.ptr[at - 1] == '/' && holds_at(m->layers[i], path, at))
				return true;
	}
	return false;
}

int mounts_devices(const struct mounts *m, unsigned flags, unsigned mask, uint64_t **devices, size_t *count)
{
	for (size_t i = 0; i < m->count; i++) {
		if ((m->items[i].flags & mask) != flags)
			continue;
		if (vec_reserve(devices, *count, sizeof(**devices)) < 0)
			return -ENOMEM;
		(*devices)[(*count)++] = m->items[i].dev;
	}
	return 0;
}
