/* SPDX-License-Identifier: MIT */
#include "cmd/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>

#include "lib/signals.h"

/* Where sd_listen_fds(3) begins to count. */
#define LISTEN_FDS_START 3

const struct opt hold_opts[] = {
	{ .name = "timeout",
	  .type = OPT_AGE,
	  .arg = "AGE",
	  .offset = offsetof(struct create_args, timeout),
	  .help = "let go after so long; not with a COMMAND" },
};
const size_t nhold_opts = ARRAY_SIZE(hold_opts);

void hold_begin(struct hold *h, const struct kind *k)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	sigemptyset(&h->ends);
	signal_add_unless_ignored(&h->ends, SIGINT);
	signal_add_unless_ignored(&h->ends, SIGTERM);
	signal_add_unless_ignored(&h->ends, SIGHUP);
	if (k->asked)
		sigaddset(&h->ends, SIGIO);
	/* Ignored, it would take the exit status of COMMAND with it. */
	sigaction(SIGCHLD, &usual, &h->child);
	sigprocmask(SIG_BLOCK, &h->ends, &h->mask);
}

/* What is left until then; false if nothing is. */
static bool time_left(const struct timespec *end, struct timespec *left)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left->tv_sec = end->tv_sec - now.tv_sec;
	left->tv_nsec = end->tv_nsec - now.tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += 1000000000;
		left->tv_sec--;
	}
	return left->tv_sec >= 0;
}

int hold_wait(const struct hold *h, const struct opt_u64 *timeout)
{
	const uint64_t longest = INT32_MAX; /* seconds; the clock of a 32-bit kernel bears it */
	struct timespec end, left;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(timeout->value < longest ? timeout->value : longest);
	do {
		if (!timeout->set)
			r = sigwaitinfo(&h->ends, NULL);
		else if (time_left(&end, &left))
			r = sigtimedwait(&h->ends, NULL, &left);
		else
			return 0;
	} while (r < 0 && errno == EINTR);
	return r < 0 ? 0 : r;
}

static int set_number(const char *variable, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return setenv(variable, text, 1) < 0 ? -errno : 0;
}

/* Moves a descriptor out of the way of the listening socket. */
static int make_way(int *fd, int command)
{
	int moved;

	if (*fd != LISTEN_FDS_START)
		return 0;
	moved = fcntl(*fd, command, LISTEN_FDS_START + 1);
	if (moved < 0)
		return -errno;
	*fd = moved;
	return 0;
}

/* The listening socket becomes descriptor 3. errors is where failure is told. */
static int hand_over_listener(struct creation *made, int *errors)
{
	int r = make_way(errors, F_DUPFD_CLOEXEC);

	for (size_t i = 1; r == 0 && i < made->nfds; i++)
		r = make_way(&made->fds[i].fd, F_DUPFD);
	if (r == 0 && made->fds[0].fd != LISTEN_FDS_START) {
		if (dup2(made->fds[0].fd, LISTEN_FDS_START) < 0)
			return -errno;
		close_fd(&made->fds[0].fd);
		made->fds[0].fd = LISTEN_FDS_START;
	}
	if (r == 0)
		r = set_number("LISTEN_FDS", 1);
	if (r == 0)
		r = set_number("LISTEN_PID", (uint64_t)getpid());
	/* Names of sockets that somebody else passed on. */
	unsetenv("LISTEN_FDNAMES");
	return r;
}

/* Descriptors and environment as COMMAND is to find them. 0 or -errno. */
static int hand_over(struct creation *made, struct span ref, int *errors)
{
	int r = made->listens && made->nfds > 0 ? hand_over_listener(made, errors) : 0;

	for (size_t i = 0; r == 0 && i < made->nfds; i++) {
		if (fcntl(made->fds[i].fd, F_SETFD, 0) < 0)
			return -errno;
		r = set_number(made->fds[i].variable, (uint64_t)made->fds[i].fd);
	}
	if (r == 0 && made->variable && setenv(made->variable, made->value.ptr, 1) < 0)
		r = -errno;
	if (r == 0 && setenv("IPCCTL_REF", ref.ptr, 1) < 0)
		r = -errno;
	return r;
}

/* Between us and the child that becomes COMMAND: pipes, the end that is read first. */
struct ties {
	int errors[2]; /* what keeps it from that; closed without a word if nothing does */
	int alone[2];  /* closed when nobody but the child has what is handed over */
};

static void wait_until_closed(int fd)
{
	char nothing;

	while (read(fd, &nothing, 1) < 0 && errno == EINTR)
		;
}

/* The child's way to COMMAND. */
__attribute__((noreturn)) static void become(struct context *c, const struct hold *h, struct report *report,
					     char **command, struct ties *ties)
{
	const struct sigaction pipe = { .sa_handler = c->sigpipe };
	int errors = ties->errors[1], e;

	close_fd(&ties->alone[1]);
	wait_until_closed(ties->alone[0]);
	close_fd(&ties->alone[0]);
	e = hand_over(&report->made, report->ref, &errors);
	sigaction(SIGCHLD, &h->child, NULL);
	sigaction(SIGPIPE, &pipe, NULL);
	sigprocmask(SIG_SETMASK, &h->mask, NULL);
	if (e == 0) {
		execvp(command[0], command);
		e = -errno;
	}
	_exit(write_all(errors, (const char *)&e, sizeof(e)) < 0 ? 126 : 127);
}

/* What the child wrote before it could become COMMAND: 0 (nothing, it did) or -errno. */
static int exec_error(int errors)
{
	int e = 0;
	ssize_t n;

	do
		n = read(errors, &e, sizeof(e));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(e) ? e : n < 0 ? -errno : 0;
}

/*
 * Waits for COMMAND. A terminal sends SIGINT and SIGQUIT to it as well: they are its
 * business. SIGTERM and SIGHUP were meant for it, but came here.
 */
static int wait_for(pid_t pid, const sigset_t *watched, const struct creation *made)
{
	pid_t ended;
	int status, number;

	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		number = sigwaitinfo(watched, NULL);
		if (number == SIGTERM || number == SIGHUP)
			kill(pid, number);
		if (number == SIGIO && made->give_up && made->nfds > 0)
			made->give_up(made->fds[0].fd);
	}
	if (ended < 0)
		return EXIT_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Starts COMMAND, which has the only copies of what is handed to it when it begins; *errors tells what keeps
 * it from running. Its pid or -errno. */
static pid_t start(struct context *c, const struct hold *h, struct report *report, char **command,
		   int *errors)
{
	struct ties ties = { .errors = { -1, -1 }, .alone = { -1, -1 } };
	pid_t pid = pipe2(ties.errors, O_CLOEXEC) < 0 || pipe2(ties.alone, O_CLOEXEC) < 0 ? -1 : fork();

	if (pid == 0)
		become(c, h, report, command, &ties);
	if (pid < 0)
		pid = -errno;
	for (size_t i = 0; i < report->made.nfds && !report->made.stays; i++)
		close_fd(&report->made.fds[i].fd);
	close_fd(&ties.alone[0]);
	close_fd(&ties.alone[1]);
	close_fd(&ties.errors[1]);
	*errors = ties.errors[0];
	return pid;
}

int hold_run(struct context *c, const struct hold *h, const struct kind *k, struct report *report,
	     char **command)
{
	_cleanup_(close_fd) int errors = -1;
	sigset_t watched = h->ends;
	int status = 126, e = 0;
	pid_t pid;

	sigaddset(&watched, SIGCHLD);
	signal_add_unless_ignored(&watched, SIGQUIT);
	sigprocmask(SIG_BLOCK, &watched, NULL);
	pid = start(c, h, report, command, &errors);
	if (pid > 0) {
		e = exec_error(errors);
		status = wait_for(pid, &watched, &report->made);
	} else {
		e = pid;
	}
	if (e == 0)
		return status;
	diag_error(&c->diag, "create %s: %s: %s", k->name, command[0], error_text(e));
	return e == -ENOENT ? 127 : 126;
}
