/* SPDX-License-Identifier: MIT */
/* Locks of whole files: flock(2). */
#include "kind/lock.h"
#include "kind/lock_create.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

enum {
	FLOCK_KIND,
	FLOCK_REF,
	FLOCK_PATH,
	FLOCK_DEVICE,
	FLOCK_INODE,
	FLOCK_DELETED,
	FLOCK_LOCK_MODE,
	FLOCK_LOCKER,
	FLOCK_COMMAND,
	FLOCK_WAITERS,
	FLOCK_WAITING,
	FLOCK_NHOLDERS,
	FLOCK_HOLDERS,
	FLOCK_STATE,
	FLOCK_REASON,
};

static const struct field fields[] = {
	[FLOCK_KIND] = COMMON_KIND("flock"),
	[FLOCK_REF] = COMMON_REF,
	LOCK_FIELDS(FLOCK, 0),
	WHEREABOUTS,
};

static const struct schema schema = { "flock", fields, ARRAY_SIZE(fields) };

static const struct lock_fields lock_fields = LOCK_FIELDS_AT(FLOCK);

static bool owns(const struct snapshot *s, size_t i)
{
	return lock_owns(s, i, 1 << LOCK_FLOCK);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	return lock_project(p, i, r, &lock_fields);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return lock_resolve(s, id, 1 << LOCK_FLOCK, NULL, "a path, such as flock:/run/x.lock", m, report);
}

static int create(const struct create_args *args, struct report *report)
{
	return lock_create(args, LOCK_FLOCK, "flock", report);
}

static const struct opt create_opts[] = {
	CREATE_OPT_SHARED,
	CREATE_OPT_NONBLOCK,
	CREATE_OPT_WAIT,
};

const struct kind kind_flock = {
	.name = "flock",
	.groups = GROUP_LOCK,
	.title = "Whole-file lock (flock)",
	.identifier = "path",
	.handle = "open file description",
	.persistence = "until unlocked or the description is closed",
	.access = "whoever may open the file",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "flock(2) around COMMAND",
	.remove_means = "unlocked through a copy of the descriptor",
	.reference = "flock:/path, flock:MAJOR:MINOR:INODE",
	.excludes = true,
	.schema = &schema,
	.sources = SOURCE_LOCKS | SOURCE_HOLDERS,
	.count = lock_count,
	.owns = owns,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "PATH",
	.transient = true,
	.waits = true,
	.create = create,
	.remove = lock_remove,
	.held = lock_held,
};
