/* SPDX-License-Identifier: MIT */
#include "scan/terminals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/vec.h"
#include "scan/fdinfo.h"
#include "scan/mountinfo.h"

struct mounted {
	uint64_t dev;
	bool devpts;	   /* or of another sort */
	struct buf target; /* where it is mounted; only of a devpts */
};

/* File systems that a process sees, the last mounted last. */
struct terminals {
	struct mounted *items;
	size_t count;
};

static int add_mounted(struct terminals *t, const struct mount_line *mount)
{
	struct mounted *i;

	if (vec_reserve(&t->items, t->count, sizeof(*t->items)) < 0)
		return -ENOMEM;
	i = &t->items[t->count++];
	*i = (struct mounted){ .dev = makedev((unsigned)mount->major, (unsigned)mount->minor),
			       .devpts = span_is(mount->fstype, "devpts") };
	if (i->devpts)
		mountinfo_unescape(mount->target, &i->target);
	return i->target.failed ? -ENOMEM : 0;
}

static int read_mounts(struct terminals *t, int dir, const char *table)
{
	char path[48];
	_cleanup_(close_fd) int fd = -1;
	_cleanup_(line_reader_free) struct line_reader reader = { 0 };
	struct mount_line mount;
	struct span line;
	int r;

	snprintf(path, sizeof(path), "%s/mountinfo", table);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	reader.fd = fd;
	r = fd < 0 ? -errno : 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0)
		if (mountinfo_parse(line, &mount) == 0)
			r = add_mounted(t, &mount) < 0 ? -ENOMEM : 1;
	return r;
}

void terminals_free(struct terminals *t)
{
	for (size_t i = 0; t && i < t->count; i++)
		buf_free(&t->items[i].target);
	if (t)
		free(t->items);
	free(t);
}

/* The devpts mounted on that path; 0: none is. */
static uint64_t mounted_on(const struct terminals *t, struct span directory, const char *leaf)
{
	for (size_t i = t->count; i-- > 0;) {
		struct span target = buf_span(&t->items[i].target);

		if (target.len == directory.len + strlen(leaf) &&
		    memcmp(target.ptr, directory.ptr, directory.len) == 0 &&
		    span_is(span_from(target, directory.len), leaf))
			return t->items[i].dev;
	}
	return 0;
}

/*
 * A master opened inside of a devpts shows its instance; opened elsewhere it is the one on
 * "pts" beside it (devpts_acquire() in fs/devpts/inode.c). A devpts that the process itself
 * does not see, as when its descriptor was passed on, is known by the number that its ptmx
 * always has. 0: it cannot be told.
 */
static uint64_t instance_of(const struct terminals *t, const struct statx *stx, struct span path)
{
	const uint64_t ptmx = 2; /* mknod_ptmx() in fs/devpts/inode.c */
	uint64_t dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	const char *slash = path.len ? memrchr(path.ptr, '/', path.len) : NULL;

	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].dev == dev)
			return t->items[i].devpts ? dev :
			       slash ? mounted_on(t, (struct span){ path.ptr, (size_t)(slash - path.ptr) },
						  "/pts") :
				       0;
	return stx->stx_ino == ptmx ? dev : 0;
}

int terminals_master(struct terminals **terminals, int dir, const char *table, const char *name,
		     const struct statx *stx, struct span path, struct object_key *key)
{
	struct fdinfo info;
	int r = fdinfo_read(&info, dir, table, name);

	if (r == 0)
		r = fdinfo_number(&info, "tty-index:", &key->ino);
	if (r == 0 && !*terminals) {
		*terminals = calloc(1, sizeof(**terminals));
		r = *terminals ? read_mounts(*terminals, dir, table) : -ENOMEM;
	}
	if (r == 0)
		key->dev = instance_of(*terminals, stx, path);
	return r == 0 && key->dev == 0 ? -EXDEV : r;
}
