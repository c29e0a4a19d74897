/* SPDX-License-Identifier: MIT */
/* Making a POSIX message queue: mq_open(3). */
#include "kind/posix_mq_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kind/common.h"
#include "kind/shmfile.h"

/* What was not asked for is the system's default, which the kernel only takes whole. */
static int choose_attr(const struct create_args *args, struct mq_attr *attr, struct report *report)
{
	struct scan_context context;
	struct snapshot s = { .context = &context };
	struct value maxmsg, msgsize;
	int r = scan_context_open(&context, NULL);

	if (r < 0)
		return r;
	maxmsg = value_u64(args->maxmsg.value);
	msgsize = value_u64(args->msgsize.value);
	if (!args->maxmsg.set)
		limit_sysctl(&s, "sys/fs/mqueue/msg_default", 0, &maxmsg);
	if (!args->msgsize.set)
		limit_sysctl(&s, "sys/fs/mqueue/msgsize_default", 0, &msgsize);
	scan_context_close(&context);
	if (maxmsg.state != VALUE_SET || msgsize.state != VALUE_SET) {
		report_text(report,
			    "the default of the other cannot be read; give both --maxmsg and --msgsize");
		return maxmsg.state != VALUE_SET ? -maxmsg.error : -msgsize.error;
	}
	attr->mq_maxmsg = (long)maxmsg.u64;
	attr->mq_msgsize = (long)msgsize.u64;
	return 0;
}

static void explain_failure(int r, struct report *report)
{
	if (report->text.ptr)
		return;
	if (r == -EINVAL)
		report_text(report, "--maxmsg or --msgsize is over its limit; see 'ipcctl limits posix-mq'");
	else if (r == -EMFILE)
		report_text(report, "RLIMIT_MSGQUEUE of this user is reached; see 'ipcctl limits posix-mq'");
	else if (r == -ENOSPC)
		report_text(report, "queues_max is reached; see 'ipcctl limits posix-mq'");
}

/* Opens a new queue and gives it mode and owner; takes it away again if that fails. */
static int make_queue(const char *name, const struct create_args *args, struct mq_attr *attr,
		      struct report *report)
{
	uint32_t uid = (uint32_t)-1, gid = (uint32_t)-1;
	_cleanup_(close_fd) int fd = -1;
	int r = args->owner ? parse_owner(args->owner, &uid, &gid, report) : 0;

	if (r < 0)
		return r;
	fd = (int)syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, attr);
	if (fd < 0)
		return -errno;
	if (args->owner && fchown(fd, uid, gid) < 0) {
		r = -errno;
		report_text(report, "--owner '%s'", args->owner);
	} else if (fchmod(fd, create_mode(args)) < 0) {
		r = -errno;
	}
	if (r < 0)
		syscall(SYS_mq_unlink, name);
	return r;
}

int posix_mq_create(const struct create_args *args, struct report *report)
{
	bool chosen = args->maxmsg.set || args->msgsize.set;
	struct mq_attr attr = { 0 };
	struct span name;
	int r = shmfile_name(span_of(args->name ? args->name : ""), false, &name, report);

	if (r < 0)
		return r;
	if ((args->maxmsg.set && (args->maxmsg.value == 0 || args->maxmsg.value > LONG_MAX)) ||
	    (args->msgsize.set && (args->msgsize.value == 0 || args->msgsize.value > LONG_MAX))) {
		return report_usage(report, "--maxmsg and --msgsize must be 1 or more");
	}
	r = chosen ? choose_attr(args, &attr, report) : 0;
	if (r == 0)
		r = make_queue(name.ptr, args, chosen ? &attr : NULL, report);
	if (r == -EEXIST && args->exist_ok) {
		report->existed = true;
		r = 0;
	}
	if (r < 0) {
		explain_failure(r, report);
		return r;
	}
	return report_ref(report, "posix-mq:/%s", name.ptr);
}

const struct opt posix_mq_create_opts[POSIX_MQ_NCREATE_OPTS] = {
	{ .name = "maxmsg",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, maxmsg),
	  .help = "most messages it may hold (default fs.mqueue.msg_default)" },
	{ .name = "msgsize",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, msgsize),
	  .help = "most bytes of one message (default fs.mqueue.msgsize_default)" },
	CREATE_OPT_MODE,
	CREATE_OPT_OWNER,
	CREATE_OPT_EXIST_OK,
};
