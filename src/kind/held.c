/* SPDX-License-Identifier: MIT */
#include "kind/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/parse.h"
#include "scan/fdinfo.h"
#include "scan/mountinfo.h"

int held_project(struct projector *p, struct record *r, const struct held_fields *at,
		 const struct holding *first, const struct holding_roles *roles, struct holding_count *count)
{
	record_text(r, at->kind, r->schema->name);
	*count = holding_count_from(p, first);
	if (wants_any(p->want, at->state, at->reason))
		record_held_state(p, r, at->state, at->reason, false, count);
	if (!wants(p->want, at->holding.nholders) && !wants(p->want, at->holding.holders))
		return 0;
	return record_holders_from(p, r, &at->holding, first, count, roles);
}

static int64_t newest(int64_t a, int64_t b, int64_t c)
{
	int64_t t = a > b ? a : b;

	return t > c ? t : c;
}

static void record_times(struct projector *p, struct record *r, const struct stat_fields *at, int64_t atime,
			 int64_t mtime, int64_t ctime)
{
	record_i64(r, at->atime, atime);
	record_i64(r, at->mtime, mtime);
	record_i64(r, at->ctime, ctime);
	record_age(p, r, at->age, newest(atime, mtime, ctime));
}

void record_stat(struct projector *p, struct record *r, const struct stat_fields *at, const struct statx *stx)
{
	record_owner(p, r, &at->owner, stx->stx_uid, stx->stx_gid, stx->stx_mode);
	record_times(p, r, at, stx->stx_atime.tv_sec, stx->stx_mtime.tv_sec, stx->stx_ctime.tv_sec);
}

void record_found(struct projector *p, struct record *r, const struct stat_fields *at,
		  const struct found_file *file)
{
	const size_t fields[] = { at->owner.owner, at->owner.group, at->owner.uid,
				  at->owner.gid,   at->owner.mode,  at->atime,
				  at->mtime,	   at->ctime,	    at->age };

	if (file && file->described) {
		record_owner(p, r, &at->owner, file->uid, file->gid, file->mode);
		record_times(p, r, at, file->atime, file->mtime, file->ctime);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		record_unknown(r, fields[i], EPERM);
}

int held_unreadable(struct projector *p, struct record *r, size_t from, size_t to, int error)
{
	if (error == -ENOENT)
		return PROJECT_SKIP;
	for (size_t f = from; f <= to; f++) {
		if (!wants(p->want, f))
			continue;
		if (error == -ENOTSUP)
			record_unknown_why(
				r, f, p->snapshot->context->own_proc ? WHY_OTHER_PIDS : WHY_OTHER_SYSTEM);
		else if (error == -ENOSYS)
			record_unknown_why(r, f, WHY_KERNEL_TOO_OLD);
		else if (error == -EAGAIN)
			record_unknown_why(r, f, WHY_TOO_QUICK);
		else
			record_unknown(r, f, error);
	}
	return 0;
}

void record_number_ref(struct record *r, size_t field, uint64_t number)
{
	size_t len = strlen(r->schema->name);
	char *text = arena_alloc(r->arena, len + 1 + 20);

	if (!text) {
		record_unknown(r, field, ENOMEM);
		return;
	}
	memcpy(text, r->schema->name, len);
	text[len] = ':';
	record_str(r, field, (struct span){ text, len + 1 + format_u64(text + len + 1, number) });
}

void record_device(struct record *r, size_t field, uint64_t dev)
{
	record_printf(r, field, "%u:%u", major(dev), minor(dev));
}

int held_match(struct snapshot *s, const struct object_key *key, struct matches *m)
{
	return matches_found(m, holders_position(&s->holders, key));
}

int held_resolve(struct snapshot *s, enum object_class class, struct span id, const char *what,
		 struct matches *m, struct report *report)
{
	const struct internal_devices *devices = &s->holders.devices;
	struct object_key key = { .class = class };
	int r;

	if (parse_u64(id, &key.ino) < 0) {
		report_text(report, "expected %s", what);
		return -EINVAL;
	}
	if (class != OBJECT_MEMFD && class != OBJECT_ANON_MAPPING)
		return held_match(s, &key, m);
	for (size_t i = 0; i < devices->count; i++) {
		key.dev = devices->items[i];
		r = held_match(s, &key, m);
		if (r < 0)
			return r;
	}
	return 0;
}

int parse_file_key(struct span id, uint64_t *dev, uint64_t *ino)
{
	const char *first = memchr(id.ptr, ':', id.len);
	struct span rest = first ? span_from(id, (size_t)(first - id.ptr) + 1) : id;
	const char *second = first ? memchr(rest.ptr, ':', rest.len) : NULL;
	uint64_t a, b;

	if (!second || parse_u64_in((struct span){ id.ptr, (size_t)(first - id.ptr) }, 0, 0xfff, &a) < 0 ||
	    parse_u64_in((struct span){ rest.ptr, (size_t)(second - rest.ptr) }, 0, 0xfffff, &b) < 0 ||
	    parse_u64(span_from(rest, (size_t)(second - rest.ptr) + 1), ino) < 0)
		return -EINVAL;
	*dev = makedev((unsigned)a, (unsigned)b);
	return 0;
}

/* The device that maps shows for files of a mount. */
static int mount_device(uint64_t id, uint64_t *dev)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	int r = mounts_read(&mounts);
	const struct mount *mount = r < 0 ? NULL : mounts_find(&mounts, id);

	if (!mount)
		return r < 0 ? r : -ENOENT;
	/* Where that is one for all subvolumes, the walk tells them apart as stat(2) does. */
	if (!(mount->flags & MOUNT_SUBVOLUMES))
		*dev = mount->dev;
	return 0;
}

/* What the kernel itself calls a file differs from stat(2) on overlay and btrfs: fdinfo
 * tells the mount and (since Linux 5.14) the inode. */
static int mapped_key(int fd, uint64_t *dev, uint64_t *ino)
{
	struct fdinfo info;
	char name[12];
	uint64_t mount = 0;
	int r;

	snprintf(name, sizeof(name), "%d", fd);
	r = fdinfo_read_own(&info, name);
	if (r == 0)
		r = fdinfo_number(&info, "mnt_id:", &mount);
	if (r == 0 && fdinfo_number(&info, "ino:", ino) == 0)
		return mount_device(mount, dev);
	return r < 0 ? r : mount_device(mount, dev);
}

int path_key(struct span path, bool as_mapped, uint64_t *dev, uint64_t *ino)
{
	_cleanup_(free_ptr) char *name = strndup(path.ptr, path.len);
	_cleanup_(close_fd) int fd = name ? open(name, O_PATH | O_CLOEXEC) : -1;
	struct stat st;

	if (!name)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*dev = st.st_dev;
	*ino = st.st_ino;
	return as_mapped ? mapped_key(fd, dev, ino) : 0;
}
