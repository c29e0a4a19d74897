/* SPDX-License-Identifier: MIT */
#include "kind/posix_mq_verdict.h"

#include <errno.h>
#include <stdio.h>

#include "kind/reclaim.h"

static struct leased_file leased_file(const struct snapshot *s, const struct mqueue_entry *e)
{
	return (struct leased_file){
		.dir = s->queues.root,
		.leaf = e->name.ptr,
		.dev = e->dev,
		.ino = e->ino,
		.path = e->name,
		.uid = e->uid,
		.created = e->ctime,
		.waits_locked = true, /* do_mq_open() in ipc/mqueue.c */
		.more = "",
	};
}

/* The verdict. Messages that wait in it are somebody's, and said. */
int posix_mq_judge(struct projector *p, struct record *r, const struct verdict_fields *at,
		   const struct mqueue_entry *e, const struct holding_count *found)
{
	const struct object_key key = { OBJECT_FILE, e->dev, e->ino };
	struct leased_file file = leased_file(p->snapshot, e);
	struct mqueue_attr attr = { 0 };
	char more[48] = "";
	int fd;

	if (judge_by_holders(p, r, at, &key, e->deleted, found))
		return 0;
	fd = mqueue_open(&p->snapshot->queues, e);
	if (fd >= 0 && mqueue_get_attr(fd, &attr) == 0 && attr.curmsgs > 0)
		snprintf(more, sizeof(more), ", %llu message%s", (unsigned long long)attr.curmsgs,
			 plural(attr.curmsgs));
	if (fd >= 0)
		record_evidence(p, r, at->evidence, "messages", SHOWS_NOTHING, "%llu",
				(unsigned long long)attr.curmsgs);
	/* Our own descriptor would be in the way. */
	close_fd(&fd);
	file.more = more;
	return judge_by_lease(p, r, at, &file);
}

/* With the lease held nobody sends any more. */
static int check_messages(int fd, const struct reclaim *rules, struct report *report)
{
	struct mqueue_attr attr;
	int e = mqueue_get_attr(fd, &attr);

	if (e < 0 || rules->messages || attr.curmsgs == 0)
		return e;
	report_text(report, "it holds %llu message%s", (unsigned long long)attr.curmsgs,
		    plural(attr.curmsgs));
	return -EBUSY;
}

int posix_mq_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct mqueue_entry *e = &p->snapshot->queues.items[i];
	struct leased_file file = leased_file(p->snapshot, e);

	if (e->deleted) {
		report_text(report, "it has no name any more");
		return -EBUSY;
	}
	return reclaim_leased(p, &file, rules, check_messages, report);
}
