/* SPDX-License-Identifier: MIT */
#include "kind/lock_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "kind/lock.h"

#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37 /* asm-generic/fcntl.h */
#define F_OFD_SETLKW 38
#endif

/* What is to be locked, and how. */
struct wanted {
	enum lock_type type;
	bool shared;
	struct lock_range range;
};

/* O_NONBLOCK: a FIFO or a leased file is not waited for. A write lock takes a file that may be
 * written to. Returns a descriptor or -errno. */
static int open_file(const char *path, const struct wanted *w)
{
	bool record = w->type == LOCK_POSIX || w->type == LOCK_OFD;
	int flags = O_NOCTTY | O_NONBLOCK | O_CLOEXEC | (record && !w->shared ? O_RDWR : O_RDONLY);
	int fd = open(path, w->type == LOCK_LEASE ? flags : flags | O_CREAT, 0666);

	if (fd < 0 && errno == EISDIR)
		fd = open(path, flags);
	if (fd < 0)
		return -errno;
	/* COMMAND is to find an ordinary descriptor. */
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

/* One try, which may wait. 0 or -errno. */
static int try(int fd, const struct wanted *w, bool wait)
{
	struct flock range = { .l_type = w->shared ? F_RDLCK : F_WRLCK,
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)w->range.start };
	int r;

	if (w->range.end != LOCK_EOF)
		range.l_len = (off_t)(w->range.end - w->range.start + 1);
	switch (w->type) {
	case LOCK_FLOCK:
		r = flock(fd, (w->shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB));
		break;
	case LOCK_POSIX:
		r = fcntl(fd, wait ? F_SETLKW : F_SETLK, &range);
		break;
	case LOCK_OFD:
		r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
		break;
	default:
		r = fcntl(fd, F_SETLEASE, range.l_type);
		break;
	}
	return r < 0 ? -errno : 0;
}

static void nothing(int number _unused_)
{
}

/* Waits for so many seconds at most. 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, const struct wanted *w, uint64_t seconds)
{
	const struct sigaction alarm = { .sa_handler = nothing }; /* no SA_RESTART: it ends the wait */
	const uint64_t longest = INT32_MAX;
	struct itimerval timer = { .it_value.tv_sec = (time_t)(seconds < longest ? seconds : longest),
				   /* One may come just before the wait begins. */
				   .it_interval.tv_usec = 50000 };
	struct sigaction before;
	sigset_t set, mask;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaction(SIGALRM, &alarm, &before);
	sigprocmask(SIG_UNBLOCK, &set, &mask);
	setitimer(ITIMER_REAL, &timer, NULL);
	r = try(fd, w, true);
	timer = (struct itimerval){ .it_value.tv_sec = 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGALRM, &before, NULL);
	return r == -EINTR ? -ETIMEDOUT : r;
}

static int take(int fd, const struct wanted *w, const struct create_args *args)
{
	int r;

	if (w->type == LOCK_LEASE)
		return try(fd, w, false);
	if (args->nonblock || (args->timeout.set && args->timeout.value == 0))
		return try(fd, w, false);
	if (args->timeout.set)
		return wait_for(fd, w, args->timeout.value);
	do
		r = try(fd, w, true);
	while (r == -EINTR);
	return r;
}

static void tell_failure(int error, const struct wanted *w, const char *kind, const struct create_args *args,
			 struct report *report)
{
	if (w->type == LOCK_LEASE && error == -EAGAIN)
		report_text(report, w->shared ? "somebody has it open for writing" : "somebody has it open");
	else if (w->type == LOCK_LEASE && error == -EINVAL)
		report_text(report, "only a regular file on a local file system can be leased");
	else if (error == -EAGAIN || error == -EACCES)
		report_text(report, "somebody else has it locked; 'ipcctl describe %s:%s' says who", kind,
			    args->name);
	else if (error == -ETIMEDOUT)
		report_text(report, "still locked after %llu s; 'ipcctl describe %s:%s' says by whom",
			    (unsigned long long)args->timeout.value, kind, args->name);
	else if (error == -EDEADLK)
		report_text(report, "that would be a deadlock, says the kernel");
}

/* Its reference is what the kernel calls the file: the path may be relative, or a link. */
static int refer(int fd, const struct wanted *w, const char *kind, struct report *report)
{
	char name[40], path[PATH_MAX], range[48] = "", end[24] = "EOF";
	struct stat st;
	ssize_t n;

	if (w->range.end != LOCK_EOF)
		snprintf(end, sizeof(end), "%llu", (unsigned long long)w->range.end);
	if (w->type == LOCK_POSIX || w->type == LOCK_OFD)
		snprintf(range, sizeof(range), ":%llu-%s", (unsigned long long)w->range.start, end);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path));
	if (n > 0 && n < (ssize_t)sizeof(path))
		return report_ref(report, "%s:%.*s%s", kind, (int)n, path, range);
	if (fstat(fd, &st) < 0)
		return -errno;
	return report_ref(report, "%s:%u:%u:%llu%s", kind, major(st.st_dev), minor(st.st_dev),
			  (unsigned long long)st.st_ino, range);
}

static void give_up(int fd)
{
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
}

int lock_create(const struct create_args *args, enum lock_type type, const char *kind, struct report *report)
{
	struct wanted w = { .type = type, .shared = args->shared, .range = { 0, LOCK_EOF } };
	int fd, r;

	if (args->range && lock_range_parse(span_of(args->range), &w.range) < 0)
		return report_usage(report, "--range %s: expected START-END, such as 0-99 or 100-EOF",
				    args->range);
	if (args->nonblock && args->timeout.set)
		return report_usage(report, "--nonblock and --timeout exclude each other");
	fd = open_file(args->name, &w);
	if (fd < 0)
		return fd;
	report_made(report, fd, "IPCCTL_FD");
	/* It is this process's, whatever COMMAND inherits; or the kernel asks this process to let go. */
	report->made.stays = type == LOCK_POSIX || type == LOCK_LEASE;
	report->made.give_up = type == LOCK_LEASE ? give_up : NULL;
	r = take(fd, &w, args);
	if (r < 0) {
		tell_failure(r, &w, kind, args, report);
		return r;
	}
	return refer(fd, &w, kind, report);
}
