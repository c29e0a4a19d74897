/* SPDX-License-Identifier: MIT */
/* POSIX message queues (mq_overview(7)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/syscall.h>

#include "kind/holding.h"
#include "kind/posix_mq_create.h"
#include "kind/posix_mq_limits.h"
#include "kind/posix_mq_verdict.h"
#include "kind/registry.h"
#include "kind/shmfile.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"

enum {
	MQ_KIND,
	MQ_REF,
	MQ_NAME,
	MQ_OWNER,
	MQ_GROUP,
	MQ_UID,
	MQ_GID,
	MQ_MODE,
	MQ_MAXMSG,
	MQ_MSGSIZE,
	MQ_CURMSGS,
	MQ_INODE,
	MQ_ATIME,
	MQ_MTIME,
	MQ_CTIME,
	MQ_DELETED,
	MQ_WAITERS,
	MQ_WAITING,
	MQ_NHOLDERS,
	MQ_HOLDERS,
	MQ_AGE,
	MQ_STATE,
	MQ_REASON,
	MQ_EVIDENCE,
	MQ_BYTES,
	MQ_NOTIFY_PID,
	MQ_NOTIFY_PID_COMMAND,
	MQ_NOTIFY_SIGNAL,
	MQ_NOTIFY_METHOD,
};

static const char *const method_values[] = { "signal", "none", "thread", NULL };

static const struct field fields[] = {
	[MQ_KIND] = COMMON_KIND("posix-mq"),
	[MQ_REF] = COMMON_REF,
	[MQ_NAME] = { .name = "name",
		      .type = FIELD_STR,
		      .flags = FIELD_SHRINK,
		      .help = "name with its leading slash" },
	[MQ_OWNER] = COMMON_OWNER,
	[MQ_GROUP] = COMMON_GROUP,
	[MQ_UID] = COMMON_UID,
	[MQ_GID] = COMMON_GID,
	[MQ_MODE] = COMMON_MODE,
	[MQ_MAXMSG] = { .name = "maxmsg",
			.type = FIELD_U64,
			.flags = FIELD_DEFAULT,
			.help = "most messages it may hold" },
	[MQ_MSGSIZE] = { .name = "msgsize",
			 .type = FIELD_BYTES,
			 .flags = FIELD_DEFAULT,
			 .help = "most bytes of one message" },
	[MQ_CURMSGS] = { .name = "curmsgs",
			 .type = FIELD_U64,
			 .flags = FIELD_DEFAULT | FIELD_GAUGE,
			 .help = "messages queued" },
	[MQ_INODE] = { .name = "inode", .type = FIELD_U64, .flags = FIELD_IDENTITY, .help = "inode number" },
	[MQ_ATIME] = { .name = "atime",
		       .type = FIELD_TIME,
		       .help = "last send or receive, or read of its status line" },
	[MQ_MTIME] = { .name = "mtime", .type = FIELD_TIME, .help = "creation, or last send or receive" },
	[MQ_CTIME] = { .name = "ctime",
		       .type = FIELD_TIME,
		       .help = "the same, or change of owner or mode, or read of its status line" },
	[MQ_DELETED] = { .name = "deleted",
			 .type = FIELD_BOOL,
			 .sources = SOURCE_HOLDERS,
			 .help = "unlinked, and kept by its holders only" },
	[MQ_WAITERS] = COMMON_WAITERS,
	[MQ_WAITING] = COMMON_WAITING,
	[MQ_NHOLDERS] = COMMON_NHOLDERS,
	[MQ_HOLDERS] = COMMON_HOLDERS,
	[MQ_AGE] = COMMON_AGE,
	[MQ_STATE] = COMMON_STATE,
	[MQ_REASON] = COMMON_REASON,
	[MQ_EVIDENCE] = COMMON_EVIDENCE,
	[MQ_BYTES] = { .name = "bytes",
		       .type = FIELD_BYTES,
		       .flags = FIELD_ON_DEMAND,
		       .help = "bytes queued (--status)" },
	[MQ_NOTIFY_PID] = { .name = "notify_pid",
			    .type = FIELD_PID,
			    .flags = FIELD_ON_DEMAND,
			    .help = "process that mq_notify(3) registered (--status)" },
	[MQ_NOTIFY_PID_COMMAND] = { .name = "notify_pid_command",
				    .type = FIELD_STR,
				    .flags = FIELD_ON_DEMAND,
				    .help = "its command" },
	[MQ_NOTIFY_SIGNAL] = { .name = "notify_signal",
			       .type = FIELD_U64,
			       .flags = FIELD_ON_DEMAND,
			       .help = "signal it is to get (--status)" },
	[MQ_NOTIFY_METHOD] = { .name = "notify_method",
			       .type = FIELD_STR,
			       .flags = FIELD_ON_DEMAND,
			       .values = method_values,
			       .help = "how it is told (--status)" },
	WHEREABOUTS_IPC,
};

static const struct schema schema = { "posix-mq", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->queues.count;
}

static void project_status(struct projector *p, int fd, struct record *r)
{
	struct mqueue_status status;
	int error;

	if (!p->snapshot->depth.status) {
		for (size_t f = MQ_BYTES; f <= MQ_NOTIFY_METHOD; f++)
			record_unknown_why(r, f, WHY_NEEDS_STATUS);
		return;
	}
	error = mqueue_get_status(fd, &status);
	if (error < 0) {
		for (size_t f = MQ_BYTES; f <= MQ_NOTIFY_METHOD; f++)
			record_unknown(r, f, error);
		return;
	}
	record_u64(r, MQ_BYTES, status.bytes);
	if (status.notify_pid == 0)
		return;
	record_pid(p, r, MQ_NOTIFY_PID, status.notify_pid, INT64_MAX);
	if (status.notify_method == SIGEV_SIGNAL)
		record_u64(r, MQ_NOTIFY_SIGNAL, status.notify_signal);
	if (status.notify_method >= 0 && status.notify_method <= SIGEV_THREAD)
		record_text(r, MQ_NOTIFY_METHOD, method_values[status.notify_method]);
	record_state(p, r, MQ_STATE, "in-use", MQ_REASON, "process %u is registered for notification",
		     status.notify_pid);
}

/* What takes an open descriptor. The queue is opened without disturbing it. */
static int project_open(struct projector *p, const struct mqueue_entry *e, struct record *r)
{
	_cleanup_(close_fd) int fd = e->deleted ? -1 : mqueue_open(&p->snapshot->queues, e);
	struct mqueue_attr attr;
	int error;

	if (e->deleted) {
		for (size_t f = MQ_MAXMSG; f <= MQ_CURMSGS; f++)
			record_unknown_why(r, f, WHY_NO_NAME);
		for (size_t f = MQ_BYTES; f <= MQ_NOTIFY_METHOD; f++)
			record_unknown_why(r, f, WHY_NO_NAME);
		return 0;
	}
	error = fd < 0 ? fd : mqueue_get_attr(fd, &attr);
	if (error == -ENOENT || error == -ESTALE)
		return PROJECT_SKIP;
	if (error < 0) {
		for (size_t f = MQ_MAXMSG; f <= MQ_CURMSGS; f++)
			record_unknown(r, f, error);
		for (size_t f = MQ_BYTES; f <= MQ_NOTIFY_METHOD; f++)
			record_unknown(r, f, error);
		return 0;
	}
	record_u64(r, MQ_MAXMSG, attr.maxmsg);
	record_u64(r, MQ_MSGSIZE, attr.msgsize);
	record_u64(r, MQ_CURMSGS, attr.curmsgs);
	if (wants_any(p->want, MQ_BYTES, MQ_NOTIFY_METHOD))
		project_status(p, fd, r);
	return 0;
}

static const struct verdict_fields state_fields = { MQ_STATE, MQ_REASON, MQ_EVIDENCE };

static int project_holders(struct projector *p, const struct mqueue_entry *e, struct record *r)
{
	static const struct holding_fields at = { MQ_NHOLDERS, MQ_HOLDERS };
	static const struct holding_roles roles = { "receiver", "sender", "both", "mapped", NULL };
	struct object_key key = { OBJECT_FILE, e->dev, e->ino };
	struct holding_count found = holding_count(p, &key);
	int error = wants_verdict(p, &state_fields) ? posix_mq_judge(p, r, &state_fields, e, &found) : 0;

	return error ? error : record_holders(p, r, &at, &key, &found, &roles);
}

static void project_names(struct record *r, const struct mqueue_entry *e)
{
	const struct span head = SPAN("posix-mq:/");
	char *ref = arena_alloc(r->arena, head.len + e->name.len);

	if (!ref) {
		record_unknown(r, MQ_REF, ENOMEM);
		record_unknown(r, MQ_NAME, ENOMEM);
		return;
	}
	memcpy(ref, head.ptr, head.len);
	memcpy(ref + head.len, e->name.ptr, e->name.len);
	record_str(r, MQ_REF, (struct span){ ref, head.len + e->name.len });
	record_str(r, MQ_NAME, (struct span){ ref + head.len - 1, e->name.len + 1 });
}

static int64_t newest(const struct mqueue_entry *e)
{
	int64_t t = e->ctime > e->mtime ? e->ctime : e->mtime;

	return e->atime > t ? e->atime : t;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct owner_fields owner = { MQ_OWNER, MQ_GROUP, MQ_UID, MQ_GID, MQ_MODE };
	static const struct waiting_fields waiting = { MQ_WAITERS, MQ_WAITING };
	const struct mqueue_entry *e = &p->snapshot->queues.items[i];
	struct object_key key = { OBJECT_FILE, e->dev, e->ino };
	int error = 0;

	record_text(r, MQ_KIND, schema.name);
	project_names(r, e);
	record_owner(p, r, &owner, e->uid, e->gid, e->mode);
	record_u64(r, MQ_INODE, e->ino);
	record_i64(r, MQ_ATIME, e->atime);
	record_i64(r, MQ_MTIME, e->mtime);
	record_i64(r, MQ_CTIME, e->ctime);
	record_age(p, r, MQ_AGE, newest(e));
	record_bool(r, MQ_DELETED, e->deleted);
	if (e->deleted)
		record_printf(r, MQ_REF, "posix-mq:inode=%llu", (unsigned long long)e->ino);
	if (wants_any(p->want, MQ_NHOLDERS, MQ_HOLDERS) || wants_verdict(p, &state_fields))
		error = project_holders(p, e, r);
	if (error)
		return error;
	if (record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	if (wants_any(p->want, MQ_MAXMSG, MQ_CURMSGS) || wants_any(p->want, MQ_BYTES, MQ_NOTIFY_METHOD))
		return project_open(p, e, r);
	return 0;
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	const struct mqueue_entry *e = &s->queues.items[i];

	return holders_find(&s->holders, &(struct object_key){ OBJECT_FILE, e->dev, e->ino });
}

static int narrow(struct span id, struct scan_request *request)
{
	return shmfile_narrow(id, request, &request->queue_names);
}

/* "inode=N" of a queue that has no name any more: its index, -ENOENT or -EINVAL. */
static int64_t find_inode(const struct mqueue *q, struct span id)
{
	uint64_t ino;

	if (parse_inode(id, &ino) < 0)
		return -EINVAL;
	for (size_t i = q->count; i-- > 0 && q->items[i].deleted;)
		if (q->items[i].ino == ino)
			return (int64_t)i;
	return -ENOENT;
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct span name;
	int64_t i = find_inode(&s->queues, id);

	if (i == -EINVAL) {
		i = shmfile_name(id, false, &name, report);
		if (i == 0)
			i = mqueue_find(&s->queues, name);
	}
	return matches_found(m, i);
}

static int remove_queue(struct snapshot *s, size_t i, struct report *report)
{
	const struct mqueue_entry *e = &s->queues.items[i];
	_cleanup_(close_fd) int fd = e->deleted ? -1 : mqueue_open(&s->queues, e);
	struct mqueue_attr attr = { 0 };
	int r;

	if (e->deleted) {
		report_text(report, "it has no name any more; it goes with its last holder");
		return -ENOTSUP;
	}
	if (fd >= 0 && mqueue_get_attr(fd, &attr) < 0)
		attr.curmsgs = 0;
	r = mqueue_unlink(&s->queues, e);
	if (r == -EPERM || r == -EACCES)
		report_owner(report, e->uid, "");
	if (r < 0)
		return r;
	if (attr.curmsgs > 0)
		report_text(report, "%llu message%s lost", (unsigned long long)attr.curmsgs,
			    plural(attr.curmsgs));
	return 0;
}

const struct kind kind_posix_mq = {
	.name = "posix-mq",
	.groups = GROUP_POSIX | GROUP_PERSISTENT,
	.letter = 'Q',
	.title = "POSIX message queue",
	.identifier = "name",
	.handle = "message queue descriptor (a file descriptor)",
	.persistence = "until unlinked and unused, or reboot",
	.access = "mode and owner of the queue",
	.source = "mqueue file system",
	.create_means = "mq_open(3)",
	.remove_means = "mq_unlink(3); those who have it open keep it",
	.reference = "posix-mq:/NAME, posix-mq:inode=N (deleted)",
	.schema = &schema,
	.fill_field = "curmsgs",
	.room_field = "maxmsg",
	.sources = SOURCE_MQUEUE,
	.namespace = "ipcns",
	.narrow = narrow,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = posix_mq_create_opts,
	.ncreate_opts = POSIX_MQ_NCREATE_OPTS,
	.name_arg = "NAME",
	.create = posix_mq_create,
	.remove = remove_queue,
	.reclaim = posix_mq_reclaim,
	.shown_by = CAPABILITY(CAP_DAC_READ_SEARCH),
	.remover = CAP_FOWNER,
	.held = held,
	.limits = posix_mq_limits,
	.nlimits = POSIX_MQ_NLIMITS,
};
