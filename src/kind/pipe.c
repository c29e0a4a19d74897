/* SPDX-License-Identifier: MIT */
/* Pipes: pipe(2), pipe(7). */
#include <errno.h>
#include <fcntl.h>

#include "kind/pipe_end.h"
#include "kind/registry.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "scan/inspect.h"

enum {
	PIPE_KIND,
	PIPE_REF,
	PIPE_INODE,
	PIPE_READERS_FIELD,
	PIPE_WRITERS_FIELD,
	PIPE_PACKET_FIELD,
	PIPE_QUEUED_FIELD,
	PIPE_CAPACITY_FIELD,
	PIPE_ENDS_FIELD,
	PIPE_OWNER,
	PIPE_GROUP,
	PIPE_UID,
	PIPE_GID,
	PIPE_MODE,
	PIPE_ATIME,
	PIPE_MTIME,
	PIPE_CTIME,
	PIPE_AGE,
	PIPE_WAITERS,
	PIPE_WAITING,
	PIPE_NHOLDERS,
	PIPE_HOLDERS,
	PIPE_STATE,
	PIPE_REASON,
};

static const struct field fields[] = {
	[PIPE_KIND] = COMMON_KIND("pipe"),
	[PIPE_REF] = COMMON_REF,
	[PIPE_INODE] = { .name = "inode", .type = FIELD_U64, .help = "inode number" },
	[PIPE_READERS_FIELD] = PIPE_READERS,
	[PIPE_WRITERS_FIELD] = PIPE_WRITERS,
	[PIPE_PACKET_FIELD] = PIPE_PACKET,
	[PIPE_QUEUED_FIELD] = PIPE_QUEUED,
	[PIPE_CAPACITY_FIELD] = PIPE_CAPACITY,
	[PIPE_ENDS_FIELD] = PIPE_ENDS,
	HELD_STAT_FIELDS(PIPE, FIELD_ON_DEMAND),
	[PIPE_WAITERS] = COMMON_WAITERS,
	[PIPE_WAITING] = COMMON_WAITING,
	[PIPE_NHOLDERS] = COMMON_NHOLDERS,
	[PIPE_HOLDERS] = COMMON_HOLDERS,
	[PIPE_STATE] = COMMON_STATE,
	[PIPE_REASON] = COMMON_REASON,
	WHEREABOUTS,
};

static const struct schema schema = { "pipe", fields, ARRAY_SIZE(fields) };

static const struct held_fields held_fields = {
	PIPE_KIND, PIPE_REF, { PIPE_NHOLDERS, PIPE_HOLDERS }, PIPE_STATE, PIPE_REASON
};
static const struct stat_fields stat_fields = HELD_STAT_AT(PIPE);
static const struct pipe_fields pipe_fields = { PIPE_READERS_FIELD, PIPE_WRITERS_FIELD,	 PIPE_PACKET_FIELD,
						PIPE_QUEUED_FIELD,  PIPE_CAPACITY_FIELD, PIPE_ENDS_FIELD };

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_PIPE);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_PIPE, i);
}

/* What deserves attention: an end that is missing. */
static void project_reason(struct projector *p, struct record *r, const struct holding_count *found)
{
	if (!wants(p->want, PIPE_REASON) || !found->all || !(p->snapshot->sources & SOURCE_ACCESS))
		return;
	if (found->readers == 0)
		record_state(p, r, PIPE_STATE, "in-use", PIPE_REASON, "nobody reads: writing to it fails");
	else if (found->writers == 0)
		record_state(p, r, PIPE_STATE, "in-use", PIPE_REASON, "nobody writes: reading it ends");
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct waiting_fields waiting = { PIPE_WAITERS, PIPE_WAITING };
	const struct holding *first = held(p->snapshot, i);
	struct object_key key = holding_key(first);
	struct holding_count found;
	struct statx stx;
	int e;

	if (held_project(p, r, &held_fields, first, &pipe_roles, &found) < 0 ||
	    record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	record_number_ref(r, PIPE_REF, first->ino);
	record_u64(r, PIPE_INODE, first->ino);
	project_reason(p, r, &found);
	if (wants_any(p->want, PIPE_OWNER, PIPE_AGE)) {
		e = object_look(p->snapshot, first, &stx);
		if (e == 0)
			record_stat(p, r, &stat_fields, &stx);
		else if (held_unreadable(p, r, PIPE_OWNER, PIPE_AGE, e) == PROJECT_SKIP)
			return PROJECT_SKIP;
	}
	return pipe_project(p, r, &pipe_fields, first, &found);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return held_resolve(s, OBJECT_PIPE, id, "an inode number, such as pipe:4711", m, report);
}

static int create(const struct create_args *args, struct report *report)
{
	struct stat st;
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC | (args->packet ? O_DIRECT : 0)) < 0)
		return -errno;
	report_made(report, fds[0], "IPCCTL_READ_FD");
	report_made(report, fds[1], "IPCCTL_WRITE_FD");
	if (args->capacity.set && (args->capacity.value > INT32_MAX ||
				   fcntl(fds[1], F_SETPIPE_SZ, (int)args->capacity.value) < 0)) {
		error = args->capacity.value > INT32_MAX ? EINVAL : errno;
		report_text(report, "--capacity; see fs.pipe-max-size");
		return -error;
	}
	if (fstat(fds[0], &st) < 0)
		return -errno;
	return report_ref(report, "pipe:%llu", (unsigned long long)st.st_ino);
}

static const struct opt create_opts[] = {
	{ .name = "capacity",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, capacity),
	  .help = "bytes that it can hold (default 64K)" },
	{ .name = "packet",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, packet),
	  .help = "packet mode: each write(2) is read as it was written" },
};

static void limit_max_size(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/fs/pipe-max-size", 0, &out->limit);
}

static void limit_user_pages(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/fs/pipe-user-pages-soft", 0, &out->limit);
}

static const struct limit limits[] = {
	{ "pipe-max-size", FIELD_BYTES, "one pipe or FIFO", "fs.pipe-max-size", "fcntl F_SETPIPE_SZ: EPERM",
	  false, 0, limit_max_size },
	{ "pipe-user-pages-soft", FIELD_U64, "pages of one user's pipes; 0: no limit",
	  "fs.pipe-user-pages-soft", "pipe: holds a page or two only", false, 0, limit_user_pages },
};

const struct kind kind_pipe = {
	.name = "pipe",
	.groups = GROUP_FD,
	.title = "Pipe",
	.identifier = "inode number",
	.handle = "file descriptors (read end, write end)",
	.persistence = "until the last descriptor is closed",
	.access = "whoever was given a descriptor",
	.source = "/proc/PID/fd",
	.create_means = "pipe(2), handed to COMMAND",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "pipe:INODE",
	.schema = &schema,
	.fill_field = "queued",
	.room_field = "capacity",
	.sources = SOURCE_PIPE,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.transient = true,
	.create = create,
	.irremovable = only_holders_end_it,
	.channel = &pipe_channel,
	.held = held,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
