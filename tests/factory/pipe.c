/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs, their holders, what lies in them, and who waits in open(2) of one. */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef __NR_open
#define __NR_open -1
#endif

/* Writes what was asked for; what the kernel then says of the queue is the truth. */
static void queue_truth(struct job *job, int reader, int writer)
{
	uint64_t capacity = arg_u64(&job->args, "capacity", 0), fill = arg_u64(&job->args, "fill", 0);
	char *data = calloc(1, fill + 1);
	int queued, flags;

	if (capacity && fcntl(writer, F_SETPIPE_SZ, (int)capacity) < 0)
		cannot("F_SETPIPE_SZ");
	if (!data || (fill && write(writer, data, fill) != (ssize_t)fill))
		die("write");
	free(data);
	if (ioctl(reader, FIONREAD, &queued) < 0)
		die("FIONREAD");
	flags = fcntl(writer, F_GETFL);
	truth_u64(&job->truth, "queued", queued);
	truth_i64(&job->truth, "capacity", fcntl(reader, F_GETPIPE_SZ));
	truth_u64(&job->truth, "packet", flags & O_DIRECT ? 1 : 0);
}

static void stat_truth(struct truth *truth, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	truth_u64(truth, "ino", st.st_ino);
	truth_u64(truth, "uid", st.st_uid);
	truth_u64(truth, "gid", st.st_gid);
	truth_u64(truth, "mode", st.st_mode & 07777);
}

static int open_end(const struct subject *subject, unsigned side, unsigned access)
{
	(void)side;
	if (access == HELD_READ)
		return open_copy(subject, 0, access);
	if (access == HELD_WRITE)
		return open_copy(subject, 1, access);
	return open_again(subject, 0, access);
}

void make_pipe(struct job *job)
{
	struct subject subject = { .open = open_end };

	if (pipe2(subject.ends, O_CLOEXEC | (arg_u64(&job->args, "packet", 0) ? O_DIRECT : 0)) < 0)
		die("pipe2");
	stat_truth(&job->truth, subject.ends[0]);
	queue_truth(job, subject.ends[0], subject.ends[1]);
	hold_all(job, &subject);
}

static int open_fifo(const struct subject *subject, unsigned side, unsigned access)
{
	(void)side;
	return open(subject->name, open_flags(access));
}

struct opening {
	const char *path;
	unsigned access;
};

static void open_and_wait(const void *argument)
{
	const struct opening *o = argument;

	if (open(o->path, open_flags(o->access)) < 0)
		_exit(1);
	wait_forever();
}

/* openers=r,w..: tasks that stay in open(2), for nobody holds the other side. */
static void start_openers(struct job *job, const char *path)
{
	char *list = strdup(arg_text(&job->args, "openers", "")), *rest = list, *item;

	truth_list(&job->truth, "openers");
	while ((item = next_item(&rest))) {
		struct opening o = { path, *item == 'r' ? HELD_READ : HELD_WRITE };
		pid_t pid = task_start(&job->tasks, open_and_wait, &o);

		task_wait_blocked(pid, __NR_openat, __NR_open);
		truth_item(&job->truth, pid);
	}
	truth_list_end(&job->truth);
	free(list);
}

/*
 * While this has both sides open nobody waits in open(2), and nothing that was written is
 * lost. A path may be relative: longer ones are reached by a directory.
 */
void make_fifo(struct job *job)
{
	struct args *args = &job->args;
	struct bytes path = arg_bytes(args, "path", NULL);
	struct subject subject = { .name = path.data, .open = open_fifo };

	if (!arg_u64(args, "exists", 0) && mkfifo(path.data, arg_mode(args, "mode", 0600)) < 0)
		die("mkfifo");
	subject.ends[0] = open(path.data, O_RDWR | O_CLOEXEC | (arg_u64(args, "packet", 0) ? O_DIRECT : 0));
	if (subject.ends[0] < 0)
		die("open of the FIFO");
	stat_truth(&job->truth, subject.ends[0]);
	queue_truth(job, subject.ends[0], subject.ends[0]);
	hold_all(job, &subject);
	start_openers(job, path.data);
	if (arg_u64(args, "unlink", 0) && unlink(path.data) < 0)
		die("unlink");
}
