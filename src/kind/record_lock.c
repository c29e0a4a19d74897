/* SPDX-License-Identifier: MIT */
/* Locks of ranges of files: fcntl(2), F_SETLK and F_OFD_SETLK. */
#include <errno.h>

#include "kind/lock.h"
#include "kind/lock_create.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

#define TYPES (1 << LOCK_POSIX | 1 << LOCK_OFD)

enum {
	RECORD_KIND,
	RECORD_REF,
	RECORD_PATH,
	RECORD_DEVICE,
	RECORD_INODE,
	RECORD_DELETED,
	RECORD_TYPE,
	RECORD_LOCK_MODE,
	RECORD_START,
	RECORD_END,
	RECORD_LOCKER,
	RECORD_COMMAND,
	RECORD_WAITERS,
	RECORD_WAITING,
	RECORD_NHOLDERS,
	RECORD_HOLDERS,
	RECORD_STATE,
	RECORD_REASON,
};

static const char *const type_values[] = { "posix", "ofd", NULL };

static const struct field fields[] = {
	[RECORD_KIND] = COMMON_KIND("record-lock"),
	[RECORD_REF] = COMMON_REF,
	[RECORD_TYPE] = { .name = "type",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT,
			  .values = type_values,
			  .help = "posix: a process holds it; ofd: an open file description" },
	[RECORD_START] = { .name = "start", .type = FIELD_U64, .help = "first byte" },
	[RECORD_END] = { .name = "end",
			 .type = FIELD_U64,
			 .help = "last byte; absent: whatever the length of the file" },
	LOCK_FIELDS(RECORD, 0),
	WHEREABOUTS,
};

static const struct schema schema = { "record-lock", fields, ARRAY_SIZE(fields) };

static const struct lock_fields lock_fields = LOCK_FIELDS_AT(RECORD);

static bool owns(const struct snapshot *s, size_t i)
{
	return lock_owns(s, i, TYPES);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	struct lock lock = lock_at(p->snapshot, i);

	record_text(r, RECORD_TYPE, type_values[lock.line.type == LOCK_OFD]);
	record_u64(r, RECORD_START, lock.line.start);
	if (lock.line.end != LOCK_EOF)
		record_u64(r, RECORD_END, lock.line.end);
	return lock_project(p, i, r, &lock_fields);
}

/* "/path:0-99", or all that are on a file: "/path". */
static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	static const char like[] = "a path and a range, such as record-lock:/run/x.db:0-99";
	const char *colon = memrchr(id.ptr, ':', id.len);
	size_t before = colon ? (size_t)(colon - id.ptr) : 0;
	struct lock_range range;
	int r;

	if (colon && lock_range_parse(span_from(id, before + 1), &range) == 0) {
		r = lock_resolve(s, (struct span){ id.ptr, before }, TYPES, &range, like, m, report);
		/* A file may be called so; by its numbers it is not there, or not any more. */
		if (r < 0 || m->count > 0 || !span_starts(id, "/"))
			return r;
	}
	return lock_resolve(s, id, TYPES, NULL, like, m, report);
}

static int create(const struct create_args *args, struct report *report)
{
	return lock_create(args, args->ofd ? LOCK_OFD : LOCK_POSIX, "record-lock", report);
}

static const struct opt create_opts[] = {
	{ .name = "range",
	  .type = OPT_STRING,
	  .arg = "START-END",
	  .offset = offsetof(struct create_args, range),
	  .help = "bytes to lock, the last one included; END may be EOF (default 0-EOF)" },
	{ .name = "ofd",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, ofd),
	  .help = "lock held by the open file description, which COMMAND inherits" },
	CREATE_OPT_SHARED,
	CREATE_OPT_NONBLOCK,
	CREATE_OPT_WAIT,
};

const struct kind kind_record_lock = {
	.name = "record-lock",
	.groups = GROUP_LOCK,
	.title = "Byte-range lock (fcntl: posix, ofd)",
	.identifier = "path and range",
	.handle = "process (posix) or open file description (ofd)",
	.persistence = "until unlocked, closed or exited",
	.access = "whoever may open the file",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "fcntl(2) around COMMAND",
	.remove_means = "ofd: unlocked through a copy; posix: not possible from outside",
	.reference = "record-lock:/path:START-END, record-lock:MAJOR:MINOR:INODE:START-END",
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
