/* SPDX-License-Identifier: MIT */
/* Limits of POSIX message queues (mq_overview(7), getrlimit(2)). */
#include "kind/posix_mq_limits.h"

#include <errno.h>
#include <sys/resource.h>

#include "kind/common.h"
#include "lib/file.h"
#include "lib/parse.h"

/* The largest of what the queues have, or their bytes as the kernel accounts them. */
struct queue_totals {
	uint64_t maxmsg, msgsize, bytes;
	int error;
};

/*
 * Bytes of a word of the kernel, whatever those of ours are: with narrow ones it has no room for mappings of
 * 4 GiB. Or -errno.
 */
static int kernel_word(const struct snapshot *s)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, line, word;
	uint64_t room;
	int r;

	if (sizeof(long) == 8)
		return 8;
	r = read_file_at(s->context->proc, "meminfo", &text);
	if (r < 0)
		return r;
	rest = buf_span(&text);
	while (next_line(&rest, &line)) {
		if (!next_word(&line, &word) || !span_is(word, "VmallocTotal:")) /* in kB */
			continue;
		return next_word(&line, &word) && parse_u64(word, &room) == 0 ? room >> 22 ? 8 : 4 : -EBADMSG;
	}
	return -ENOENT;
}

static struct queue_totals total_queues(const struct snapshot *s, uid_t user, uint64_t word)
{
	/* mqueue_get_inode() in ipc/mqueue.c: each slot costs a struct msg_msg, and
	 * each of up to 32768 priorities a tree node; both are six words. */
	const uint64_t slot = 6 * word, node = 6 * word, priorities = 32768;
	struct queue_totals t = { 0 };

	for (size_t i = 0; i < s->queues.count; i++) {
		const struct mqueue_entry *e = &s->queues.items[i];
		_cleanup_(close_fd) int fd = mqueue_open(&s->queues, e);
		struct mqueue_attr attr;
		int r = fd < 0 ? fd : mqueue_get_attr(fd, &attr);

		if (r == -ENOENT || r == -ESTALE)
			continue;
		if (r < 0) {
			t.error = -r;
			continue;
		}
		if (attr.maxmsg > t.maxmsg)
			t.maxmsg = attr.maxmsg;
		if (attr.msgsize > t.msgsize)
			t.msgsize = attr.msgsize;
		if (e->uid == user)
			t.bytes += attr.maxmsg * (slot + attr.msgsize) +
				   (attr.maxmsg < priorities ? attr.maxmsg : priorities) * node;
	}
	return t;
}

static struct value total_value(const struct queue_totals *t, uint64_t v)
{
	return t->error ? (struct value){ .state = VALUE_UNKNOWN, .error = t->error } : value_u64(v);
}

static void limit_queues_max(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/fs/mqueue/queues_max", 0, &out->limit);
	out->used = value_u64(s->queues.count);
}

static void limit_msg_max(struct snapshot *s, struct limit_value *out)
{
	struct queue_totals t = total_queues(s, geteuid(), 0);

	limit_sysctl(s, "sys/fs/mqueue/msg_max", 0, &out->limit);
	out->used = total_value(&t, t.maxmsg);
}

static void limit_msgsize_max(struct snapshot *s, struct limit_value *out)
{
	struct queue_totals t = total_queues(s, geteuid(), 0);

	limit_sysctl(s, "sys/fs/mqueue/msgsize_max", 0, &out->limit);
	out->used = total_value(&t, t.msgsize);
}

static void limit_msg_default(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/fs/mqueue/msg_default", 0, &out->limit);
}

static void limit_msgsize_default(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/fs/mqueue/msgsize_default", 0, &out->limit);
}

static void limit_rlimit(struct snapshot *s, struct limit_value *out)
{
	int word = kernel_word(s);
	struct queue_totals t = total_queues(s, geteuid(), word > 0 ? (uint64_t)word : 0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_MSGQUEUE, &limit) < 0)
		out->limit = (struct value){ .state = VALUE_UNKNOWN, .error = errno };
	else if (limit.rlim_cur != RLIM_INFINITY)
		out->limit = value_u64(limit.rlim_cur);
	if (word < 0)
		t.error = -word;
	out->used = total_value(&t, t.bytes);
}

const struct limit posix_mq_limits[POSIX_MQ_NLIMITS] = {
	{ "queues_max", FIELD_U64, "queues in the IPC namespace", "fs.mqueue.queues_max", "mq_open: ENOSPC",
	  true, SOURCE_MQUEUE, limit_queues_max },
	{ "msg_max", FIELD_U64, "messages one queue may hold (used: the largest)", "fs.mqueue.msg_max",
	  "mq_open: EINVAL", false, SOURCE_MQUEUE, limit_msg_max },
	{ "msgsize_max", FIELD_BYTES, "message size of one queue (used: the largest)",
	  "fs.mqueue.msgsize_max", "mq_open: EINVAL", false, SOURCE_MQUEUE, limit_msgsize_max },
	{ "msg_default", FIELD_U64, "messages of a queue made without attributes", "fs.mqueue.msg_default",
	  "mq_send: blocks, or EAGAIN", false, 0, limit_msg_default },
	{ "msgsize_default", FIELD_BYTES, "message size of a queue made without attributes",
	  "fs.mqueue.msgsize_default", "mq_send: EMSGSIZE", false, 0, limit_msgsize_default },
	{ "rlimit-msgqueue", FIELD_BYTES, "queues that this user owns here", "RLIMIT_MSGQUEUE",
	  "mq_open: EMFILE", true, SOURCE_MQUEUE, limit_rlimit },
};
