/* SPDX-License-Identifier: MIT */
/* System V message queues: msgget(2), msgop(2), msgctl(2). */
#include <errno.h>

#include "kind/registry.h"
#include "kind/sysv.h"
#include "kind/sysv_verdict.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"
#include "scan/sysv_abi.h"

enum {
	MSG_BYTES = SYSV_NEXT,
	MSG_MESSAGES,
	MSG_QBYTES,
	MSG_LSPID,
	MSG_LSPID_COMMAND,
	MSG_LRPID,
	MSG_LRPID_COMMAND,
	MSG_STIME,
	MSG_RTIME,
	MSG_CTIME,
	MSG_AGE,
	MSG_WAITERS,
	MSG_WAITING,
	MSG_STATE,
	MSG_REASON,
	MSG_EVIDENCE,
	MSG_CONTENT,
};

enum { ONE_INDEX, ONE_TYPE, ONE_SIZE, ONE_BODY };

static const struct field message_fields[] = {
	[ONE_INDEX] = { .name = "index", .type = FIELD_U64, .help = "place in the queue, from 0" },
	[ONE_TYPE] = { .name = "type", .type = FIELD_I64, .help = "type, as msgsnd(2) was given it" },
	[ONE_SIZE] = { .name = "size", .type = FIELD_U64, .help = "bytes of the message" },
	[ONE_BODY] = { .name = "body", .type = FIELD_BLOB, .help = "the bytes, as many as --content allows" },
};

static const struct schema message_schema = { "messages", message_fields, ARRAY_SIZE(message_fields) };

static const struct field fields[] = {
	SYSV_HEAD_FIELDS("sysv-msg"),
	[MSG_BYTES] = { .name = "bytes",
			.type = FIELD_BYTES,
			.flags = FIELD_DEFAULT | FIELD_GAUGE,
			.help = "bytes queued" },
	[MSG_MESSAGES] = { .name = "messages",
			   .type = FIELD_U64,
			   .flags = FIELD_DEFAULT | FIELD_GAUGE,
			   .help = "messages queued" },
	[MSG_QBYTES] = { .name = "qbytes", .type = FIELD_BYTES, .help = "most bytes it may hold" },
	[MSG_LSPID] = { .name = "lspid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "process that sent last" },
	[MSG_LSPID_COMMAND] = { .name = "lspid_command",
				.type = FIELD_STR,
				.flags = FIELD_SHRINK,
				.help = "its command, if it is alive" },
	[MSG_LRPID] = { .name = "lrpid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "process that received last" },
	[MSG_LRPID_COMMAND] = { .name = "lrpid_command",
				.type = FIELD_STR,
				.flags = FIELD_SHRINK,
				.help = "its command, if it is alive" },
	[MSG_STIME] = { .name = "stime", .type = FIELD_TIME, .help = "last msgsnd(2)" },
	[MSG_RTIME] = { .name = "rtime", .type = FIELD_TIME, .help = "last msgrcv(2)" },
	[MSG_CTIME] = { .name = "ctime", .type = FIELD_TIME, .help = "creation or last change by IPC_SET" },
	[MSG_AGE] = COMMON_AGE,
	[MSG_WAITERS] = COMMON_WAITERS,
	[MSG_WAITING] = COMMON_WAITING,
	[MSG_STATE] = COMMON_STATE_FROM(SOURCE_BLOCKED),
	[MSG_REASON] = COMMON_REASON_FROM(SOURCE_BLOCKED),
	[MSG_EVIDENCE] = COMMON_EVIDENCE_FROM(SOURCE_BLOCKED),
	[MSG_CONTENT] = { .name = "content",
			  .type = FIELD_LIST,
			  .flags = FIELD_EXPLICIT,
			  .items = &message_schema,
			  .help = "the messages, not consumed (--content)" },
	WHEREABOUTS_IPC_ALONE,
};

static const struct schema schema = { "sysv-msg", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->sysv[SYSV_MSG].count;
}

/* Largest message that msgrcv(2) can be made to copy: it copies at most msgmax,
 * and refuses a buffer that is too short for the message. */
static size_t copy_buffer_size(const struct sysv_msg_row *row)
{
	struct msginfo info;
	uint64_t size = row->cbytes;

	if (msgctl(0, IPC_INFO, (struct msqid_ds *)&info) >= 0 && (uint64_t)info.msgmax > size)
		size = (uint64_t)info.msgmax;
	return (size_t)size;
}

/* Adds the message at `index`. 1, 0 if there is none, or -errno. */
static int peek(struct record *r, struct list *list, int id, int index, struct msgbuf *buffer, size_t size,
		uint64_t max)
{
	ssize_t n = msgrcv(id, buffer, size, index, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
	struct record row;
	struct span body;

	if (n < 0)
		return errno == ENOMSG ? 0 : -errno;
	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	body = arena_span(r->arena,
			  (struct span){ buffer->mtext, (uint64_t)n < max ? (size_t)n : (size_t)max });
	if (!body.ptr)
		return -ENOMEM;
	record_u64(&row, ONE_INDEX, (uint64_t)index);
	record_i64(&row, ONE_TYPE, buffer->mtype);
	record_u64(&row, ONE_SIZE, (uint64_t)n);
	record_str(&row, ONE_BODY, body);
	return 1;
}

static int project_content(struct projector *p, const struct sysv_msg_row *row, struct record *r)
{
	size_t size = copy_buffer_size(row);
	_cleanup_(free_ptr) struct msgbuf *buffer = malloc(sizeof(*buffer) + size);
	struct list *list = record_list(r, MSG_CONTENT);
	struct msqid_ds ds = { 0 };
	int got = 1;

	if (!buffer || !list)
		return -ENOMEM;
	/* Messages may be taken and added meanwhile; no more are asked for than there were. */
	for (uint64_t i = 0; got > 0 && i < row->qnum && i <= INT32_MAX; i++)
		got = peek(r, list, (int)row->perm.id, (int)i, buffer, size, p->snapshot->depth.content_max);
	if (got == -ENOMEM)
		return got;
	if (got == -EIDRM ||
	    (got == -EINVAL && msgctl((int)row->perm.id, MSG_STAT_ANY, &ds) != (int)row->perm.id))
		return PROJECT_SKIP; /* it is gone */
	/* Since it was sent msgmax was lowered: the kernel copies no more than that. */
	if (got == -EINVAL)
		got = -EMSGSIZE;
	if (got < 0)
		record_unknown(r, MSG_CONTENT, got);
	return 0;
}

/* Rows that came as text lack it. 0, or PROJECT_SKIP. */
static int project_qbytes(struct projector *p, const struct sysv_msg_row *row, struct record *r)
{
	struct msqid_ds ds = { 0 };
	int id;

	if (p->snapshot->sysv[SYSV_MSG].from_stat) {
		record_u64(r, MSG_QBYTES, row->qbytes);
		return 0;
	}
	if (!p->snapshot->context->own_proc) {
		record_unknown_why(r, MSG_QBYTES, WHY_OTHER_SYSTEM);
		return 0;
	}
	id = msgctl((int)row->perm.id, MSG_STAT_ANY, &ds);
	if ((id < 0 && (errno == EINVAL || errno == EIDRM)) || (id >= 0 && (uint32_t)id != row->perm.id))
		return PROJECT_SKIP; /* it is gone */
	if (id < 0)
		record_unknown(r, MSG_QBYTES, errno);
	else
		record_u64(r, MSG_QBYTES, ds.msg_qbytes);
	return 0;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct waiting_fields waiting = { MSG_WAITERS, MSG_WAITING };
	static const struct verdict_fields state_fields = { MSG_STATE, MSG_REASON, MSG_EVIDENCE };
	const struct sysv_msg_row *row = sysv_msg_at(&p->snapshot->sysv[SYSV_MSG], i);
	struct object_key key = { OBJECT_SYSV_MSG, 0, sysv_number(p->snapshot->ipcns, row->perm.id) };

	sysv_project(p, r, &row->perm);
	if (record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	record_u64(r, MSG_BYTES, row->cbytes);
	record_u64(r, MSG_MESSAGES, row->qnum);
	if (wants(p->want, MSG_QBYTES) && project_qbytes(p, row, r) == PROJECT_SKIP)
		return PROJECT_SKIP;
	record_pid(p, r, MSG_LSPID, row->lspid, row->stime);
	record_pid(p, r, MSG_LRPID, row->lrpid, row->rtime);
	record_time(r, MSG_STIME, row->stime);
	record_time(r, MSG_RTIME, row->rtime);
	record_time(r, MSG_CTIME, row->ctime);
	record_age(p, r, MSG_AGE, newer(row->ctime, newer(row->stime, row->rtime)));
	if (wants_verdict(p, &state_fields))
		sysv_msg_judge(p, row, r, &state_fields);
	if (!wants(p->want, MSG_CONTENT))
		return 0;
	if (p->snapshot->depth.content && p->snapshot->context->own_proc)
		return project_content(p, row, r);
	if (p->snapshot->depth.content) {
		record_unknown_why(r, MSG_CONTENT, WHY_OTHER_SYSTEM);
		return 0;
	}
	record_unknown_why(r, MSG_CONTENT, WHY_NEEDS_CONTENT);
	return 0;
}

/* Contents, and what the text does not tell, msgctl(2) and msgrcv(2) alone do. */
static bool enters(const struct projector *p, const struct snapshot *view)
{
	return (wants(p->want, MSG_CONTENT) && view->depth.content) ||
	       (wants(p->want, MSG_QBYTES) && !view->sysv[SYSV_MSG].from_stat);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return sysv_resolve(&s->sysv[SYSV_MSG], id, m, report);
}

static int remove_queue(struct snapshot *s, size_t i, struct report *report)
{
	const struct sysv_msg_row *row = sysv_msg_at(&s->sysv[SYSV_MSG], i);
	int id = (int)row->perm.id;
	struct msqid_ds ds = { 0 };
	int r = msgctl(id, MSG_STAT_ANY, &ds);

	/* It looks only at the slot, and answers with the id that is there. */
	if (r < 0)
		return sysv_removed(r);
	if (r != id)
		return -ENOENT;
	if (sysv_compare(&ds.msg_perm, &row->perm) < 0)
		return -ESTALE;
	r = sysv_removed(msgctl(id, IPC_RMID, NULL));
	if (r == 0 && ds.msg_qnum > 0)
		report_text(report, "%lu message%s lost", (unsigned long)ds.msg_qnum, plural(ds.msg_qnum));
	return r;
}

static int get_queue(key_t key, int flags, const struct create_args *args _unused_)
{
	return msgget(key, flags);
}

static int finish_queue(int id, const struct create_args *args, uint32_t uid, uint32_t gid,
			struct report *report)
{
	struct msqid_ds ds = { 0 };
	int r;

	if (!args->owner && !args->qbytes.set)
		return 0;
	if (msgctl(id, IPC_STAT, &ds) < 0)
		return -errno;
	sysv_set_perm(&ds.msg_perm, uid, gid, create_mode(args));
	if (args->qbytes.set)
		ds.msg_qbytes = (msglen_t)args->qbytes.value;
	if (msgctl(id, IPC_SET, &ds) < 0) {
		r = -errno;
		report_text(report,
			    args->qbytes.set ? "--qbytes over msgmnb takes CAP_SYS_RESOURCE" : "--owner");
		return r;
	}
	return 0;
}

static void discard_queue(int id)
{
	msgctl(id, IPC_RMID, NULL);
}

static int create(const struct create_args *args, struct report *report)
{
	static const struct sysv_maker maker = { "sysv-msg", get_queue, finish_queue, discard_queue };
	int r;

	/* The kernel keeps it in an unsigned int and cuts off the rest. */
	if (args->qbytes.set && (args->qbytes.value == 0 || args->qbytes.value > UINT32_MAX))
		return report_usage(report, "--qbytes must be 1 to 4294967295");
	r = sysv_create(&maker, args, report);
	if (r == -ENOSPC && !report->text.ptr)
		report_text(report, "msgmni is reached; see 'ipcctl limits sysv-msg'");
	return r;
}

static const struct opt create_opts[] = {
	{ .name = "qbytes",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, qbytes),
	  .help = "most bytes it may hold (default kernel.msgmnb)" },
	SYSV_CREATE_OPTS,
};

static void limit_msgmni(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/msgmni", 0, &out->limit);
	out->used = value_u64(count(s));
}

static void limit_msgmnb(struct snapshot *s, struct limit_value *out)
{
	uint64_t fullest = 0;

	limit_sysctl(s, "sys/kernel/msgmnb", 0, &out->limit);
	for (size_t i = 0; i < count(s); i++)
		if (sysv_msg_at(&s->sysv[SYSV_MSG], i)->cbytes > fullest)
			fullest = sysv_msg_at(&s->sysv[SYSV_MSG], i)->cbytes;
	out->used = value_u64(fullest);
}

static void limit_msgmax(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/msgmax", 0, &out->limit);
}

static const struct limit limits[] = {
	{ "msgmni", FIELD_U64, "queues in the IPC namespace", "kernel.msgmni", "msgget: ENOSPC", true,
	  SOURCE_SYSV_MSG, limit_msgmni },
	{ "msgmnb", FIELD_BYTES, "bytes in one new queue (used: the fullest)", "kernel.msgmnb",
	  "msgsnd: blocks, or EAGAIN", true, SOURCE_SYSV_MSG, limit_msgmnb },
	{ "msgmax", FIELD_BYTES, "one message", "kernel.msgmax", "msgsnd: EINVAL", false, 0, limit_msgmax },
};

static const struct trace traces[] = {
	{ .field = "lspid", .access = "write", .role = "sent last" },
	{ .field = "lrpid", .access = "read", .role = "received last" },
	{ 0 },
};

const struct kind kind_sysv_msg = {
	.name = "sysv-msg",
	.groups = GROUP_SYSV | GROUP_PERSISTENT,
	.letter = 'q',
	.key_letter = 'Q',
	.key_option = "sysv-msg-key",
	.title = "System V message queue",
	.identifier = "key (32 bits) or id",
	.handle = "id",
	.persistence = "until removed or reboot",
	.access = "mode, owner and creator; CAP_IPC_OWNER",
	.source = "/proc/sysvipc/msg, msgctl(2)",
	.create_means = "msgget(2)",
	.remove_means = "IPC_RMID; messages are lost, blocked tasks wake with EIDRM",
	.reference = "sysv-msg:ID, sysv-msg:key=KEY",
	.schema = &schema,
	.fill_field = "bytes",
	.room_field = "qbytes",
	.bytes_field = "bytes",
	.sources = SOURCE_SYSV_MSG,
	.namespace = "ipcns",
	.numbered = true,
	.enters = enters,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.create = create,
	.remove = remove_queue,
	.reclaim = sysv_msg_reclaim,
	.unlisted = true,
	.traces = traces,
	.shown_by = CAPABILITY(CAP_IPC_OWNER),
	.remover = CAP_SYS_ADMIN,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
