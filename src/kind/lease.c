/* SPDX-License-Identifier: MIT */
/* Leases on files: fcntl(2) F_SETLEASE. */
#include "kind/lock.h"
#include "kind/lock_create.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

enum {
	LEASE_KIND,
	LEASE_REF,
	LEASE_PATH,
	LEASE_DEVICE,
	LEASE_INODE,
	LEASE_DELETED,
	LEASE_LOCK_MODE,
	LEASE_BREAKING,
	LEASE_LOCKER,
	LEASE_COMMAND,
	LEASE_WAITERS,
	LEASE_WAITING,
	LEASE_NHOLDERS,
	LEASE_HOLDERS,
	LEASE_STATE,
	LEASE_REASON,
};

static const struct field fields[] = {
	[LEASE_KIND] = COMMON_KIND("lease"),
	[LEASE_REF] = COMMON_REF,
	[LEASE_BREAKING] = { .name = "breaking",
			     .type = FIELD_BOOL,
			     .flags = FIELD_DEFAULT,
			     .help = "somebody waits for the file, and its holder was told to give it up" },
	LOCK_FIELDS(LEASE, SOURCE_OPENERS),
	WHEREABOUTS,
};

static const struct schema schema = { "lease", fields, ARRAY_SIZE(fields) };

static const struct lock_fields lock_fields = LOCK_FIELDS_AT(LEASE);

static bool owns(const struct snapshot *s, size_t i)
{
	return lock_owns(s, i, 1 << LOCK_LEASE);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	struct lock lock = lock_at(p->snapshot, i);

	record_bool(r, LEASE_BREAKING, lock.line.breaking);
	return lock_project(p, i, r, &lock_fields);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return lock_resolve(s, id, 1 << LOCK_LEASE, NULL, "a path, such as lease:/srv/x", m, report);
}

static int create(const struct create_args *args, struct report *report)
{
	return lock_create(args, LOCK_LEASE, "lease", report);
}

static const struct opt create_opts[] = {
	CREATE_OPT_SHARED,
};

const struct kind kind_lease = {
	.name = "lease",
	.groups = GROUP_LOCK,
	.title = "File lease",
	.identifier = "path",
	.handle = "open file description",
	.persistence = "until given up, broken or closed",
	.access = "owner of the file, or CAP_LEASE",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "fcntl(2) F_SETLEASE around COMMAND",
	.remove_means = "given up through a copy of the descriptor",
	.reference = "lease:/path, lease:MAJOR:MINOR:INODE",
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
	.asked = true,
	.create = create,
	.remove = lock_remove,
	.held = lock_held,
};
