/* SPDX-License-Identifier: MIT */
/* Locks of a file: who has one, and who waits for it. */
#include "holding.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifdef SYS_fcntl64 /* where words are narrow */
#define FCNTL_CALL SYS_fcntl64
#else
#define FCNTL_CALL SYS_fcntl
#endif

/* What is to be locked, and how. */
struct lock_plan {
	const char *type; /* flock, posix, ofd, lease */
	bool write;
	uint64_t start, end; /* end: the last byte, or UINT64_MAX */
};

/* 0 or -1 with errno. */
static int take(int fd, const struct lock_plan *plan, bool wait)
{
	struct flock range = { .l_type = plan->write ? F_WRLCK : F_RDLCK, .l_start = (off_t)plan->start };

	if (plan->end != UINT64_MAX)
		range.l_len = (off_t)(plan->end - plan->start + 1);
	if (strcmp(plan->type, "flock") == 0)
		return flock(fd, (plan->write ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB));
	if (strcmp(plan->type, "posix") == 0)
		return fcntl(fd, wait ? F_SETLKW : F_SETLK, &range);
	if (strcmp(plan->type, "ofd") == 0)
		return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
	if (strcmp(plan->type, "lease") != 0)
		wrong("%s: no such type of lock", plan->type);
	/* Whoever has one is told to give it up by a signal, which would end it. */
	signal(SIGIO, SIG_IGN);
	return fcntl(fd, F_SETLEASE, range.l_type);
}

static int open_locked(const struct subject *subject, unsigned side, unsigned access)
{
	int fd = open(subject->name, open_flags(access));

	(void)side;
	if (fd < 0 || take(fd, subject->more, false) < 0)
		return -1;
	return fd;
}

/* "read", "write:0-9" */
static struct lock_plan parse_plan(const char *type, char *text)
{
	struct lock_plan plan = { .type = type, .end = UINT64_MAX };
	char *range = strchr(text, ':'), *dash = range ? strchr(range, '-') : NULL;

	if (range)
		*range++ = '\0';
	if (range && !dash)
		wrong("%s: no range", range);
	if (dash) {
		*dash++ = '\0';
		plan.start = (uint64_t)number(range);
		if (strcmp(dash, "EOF") != 0)
			plan.end = (uint64_t)number(dash);
	}
	plan.write = strcmp(text, "write") == 0;
	if (!plan.write && strcmp(text, "read") != 0)
		wrong("%s: no mode of a lock", text);
	return plan;
}

struct waiting {
	const char *path;
	struct lock_plan plan;
};

static void wait_for_it(const void *argument)
{
	const struct waiting *w = argument;
	int fd;

	/* A lease is waited for by who opens the file. */
	if (strcmp(w->plan.type, "lease") == 0)
		open(w->path, w->plan.write ? O_RDWR : O_RDONLY);
	fd = open(w->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || take(fd, &w->plan, true) < 0)
		die("lock");
	wait_forever();
}

/* One after the other, so that their order is known. */
static void start_waiters(struct job *job, const char *path, const char *type, char *list)
{
	char *text;

	truth_list(&job->truth, "waiters");
	while ((text = next_item(&list))) {
		struct waiting waiting = { path, parse_plan(type, text) };
		pid_t pid = task_start(&job->tasks, wait_for_it, &waiting);
		bool lease = strcmp(type, "lease") == 0;

		task_wait_blocked(pid,
				  lease			     ? SYS_openat :
				  strcmp(type, "flock") == 0 ? SYS_flock :
							       FCNTL_CALL,
				  -1);
		truth_item(&job->truth, (uint64_t)pid);
	}
	truth_list_end(&job->truth);
}

void make_lock(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	const char *type = arg_text(args, "type", "flock");
	char *mode = strdup(arg_text(args, "lock", "write")),
	     *waiters = strdup(arg_text(args, "waiters", ""));
	struct lock_plan plan = parse_plan(type, mode);
	struct subject subject = { .name = name.data, .open = open_locked, .more = &plan };
	int fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s", name.data);
	close(fd);
	truth_u64(&job->truth, "ino", st.st_ino);
	truth_u64(&job->truth, "dev_major", major(st.st_dev));
	truth_u64(&job->truth, "dev_minor", minor(st.st_dev));
	truth_u64(&job->truth, "start", plan.start);
	truth_i64(&job->truth, "end", plan.end == UINT64_MAX ? -1 : (int64_t)plan.end);
	hold_all(job, &subject);
	start_waiters(job, name.data, type, waiters);
	if (arg_u64(args, "unlink", 0) && unlink(name.data) < 0)
		die("unlink");
}
