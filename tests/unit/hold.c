/* SPDX-License-Identifier: MIT */
/* What `create` hands to a COMMAND, what it takes back, and what ends a holding. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/hold.h"

static const struct kind toy = { .name = "toy", .transient = true };

struct fixture {
	struct context context;
	struct report report;
	struct hold hold;
	int output; /* of COMMAND; it finds it as /proc/PID/fd/N of this process */
	char script[1000];
	char text[1000]; /* what COMMAND wrote, or what was said */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->context.diag.fd = memfd_create("messages", MFD_CLOEXEC);
	f->output = memfd_create("output", MFD_CLOEXEC);
	f->report.ref = SPAN("toy:1");
	hold_begin(&f->hold, &toy);
	*state = f;
	return f->context.diag.fd < 0 || f->output < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sigprocmask(SIG_SETMASK, &f->hold.mask, NULL);
	report_free(&f->report);
	close(f->context.diag.fd);
	close(f->output);
	free(f);
	return 0;
}

/* Runs a script, with its output into f->text; the exit status. */
static int run(struct fixture *f, const char *script)
{
	char *command[] = { "sh", "-c", f->script, NULL };
	int status;
	ssize_t n;

	snprintf(f->script, sizeof(f->script), "exec >/proc/%d/fd/%d; %s", (int)getpid(), f->output, script);
	status = hold_run(&f->context, &f->hold, &toy, &f->report, command);
	n = pread(f->output, f->text, sizeof(f->text) - 1, 0);
	f->text[n > 0 ? n : 0] = '\0';
	return status;
}

/* Runs what cannot be run; the exit status, with what was said in f->text. */
static int fail_to_run(struct fixture *f, char *program)
{
	char *command[] = { program, NULL };
	int status = hold_run(&f->context, &f->hold, &toy, &f->report, command);
	ssize_t n = pread(f->context.diag.fd, f->text, sizeof(f->text) - 1, 0);

	f->text[n > 0 ? n : 0] = '\0';
	return status;
}

static void exit_status_is_the_commands(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "exit 0"), 0);
	assert_int_equal(run(f, "exit 7"), 7);
	assert_int_equal(run(f, "exit 127"), 127);
	assert_int_equal(run(f, "kill -KILL $$"), 128 + SIGKILL);
	assert_int_equal(f->context.diag.errors, 0);
}

static void what_cannot_be_run_is_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fail_to_run(f, "/nonexistent/program"), 127);
	assert_string_equal(f->text, "ipcctl: create toy: /nonexistent/program: No such file or directory\n");
	assert_int_equal(ftruncate(f->context.diag.fd, 0), 0);
	assert_int_equal(lseek(f->context.diag.fd, 0, SEEK_SET), 0);
	assert_int_equal(fail_to_run(f, "/"), 126);
	assert_string_equal(f->text, "ipcctl: create toy: /: Permission denied\n");
	/* Nobody is left to be waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void command_has_the_only_copies(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	report_made(&f->report, fds[0], "IPCCTL_READ_FD");
	report_made(&f->report, fds[1], "IPCCTL_WRITE_FD");
	f->report.made.variable = "IPCCTL_EXTRA";
	f->report.made.value = SPAN("a b");
	/* The end of the pipe comes when the shell closes its own end: none is left elsewhere. */
	assert_int_equal(run(f, "eval \"echo hello >&$IPCCTL_WRITE_FD; exec $IPCCTL_WRITE_FD>&-; cat <&$IPCCTL_READ_FD\";"
			     "echo \"$IPCCTL_REF|$IPCCTL_EXTRA|$LISTEN_FDS\""),
			 0);
	assert_string_equal(f->text, "hello\ntoy:1|a b|\n");
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
}

static ino_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A socket at this very number. */
static int socket_at(int at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (fd != at) {
		assert_int_equal(dup3(fd, at, O_CLOEXEC), at);
		close(fd);
	}
	return at;
}

/* The listening socket becomes descriptor 3, whoever is there before; nothing made is lost. */
static void listening_sockets_are_passed_on(void **state)
{
	static const int places[][2] = { { 33, 3 }, { 3, 33 }, { 33, 34 }, { 33, 4 } };
	struct fixture *f = *state;
	char expected[200];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int listener, other;
		ino_t first, second;

		/* Keep what the test itself has out of the way. */
		if (f->context.diag.fd < 40) {
			f->context.diag.fd = fcntl(f->context.diag.fd, F_DUPFD_CLOEXEC, 40);
			f->output = fcntl(f->output, F_DUPFD_CLOEXEC, 40);
		}
		listener = socket_at(places[i][0]);
		other = socket_at(places[i][1]);
		first = inode(listener);
		second = inode(other);
		setenv("LISTEN_FDNAMES", "stale", 1);
		f->report.made = (struct creation){ .listens = true };
		report_made(&f->report, listener, "IPCCTL_FD");
		report_made(&f->report, other, "IPCCTL_PEER_FD");
		assert_int_equal(ftruncate(f->output, 0), 0);
		assert_int_equal(run(f, "echo $IPCCTL_FD $LISTEN_FDS $((LISTEN_PID - $$)) \"$LISTEN_FDNAMES\";"
				     "readlink /proc/$$/fd/$IPCCTL_FD /proc/$$/fd/$IPCCTL_PEER_FD"),
				 0);
		snprintf(expected, sizeof(expected), "3 1 0 \nsocket:[%ju]\nsocket:[%ju]\n", (uintmax_t)first,
			 (uintmax_t)second);
		assert_string_equal(f->text, expected);
	}
	unsetenv("LISTEN_FDNAMES");
}

static void command_gets_its_signals_back(void **state)
{
	struct fixture *f = *state;
	char expected[100];
	unsigned long long blocked = 0;

	for (int i = 1; i <= 31; i++)
		if (sigismember(&f->hold.mask, i) == 1)
			blocked |= 1ull << (i - 1);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run(f, "grep SigBlk: /proc/self/status"), 0);
	snprintf(expected, sizeof(expected), "SigBlk:\t%016llx\n", blocked);
	assert_string_equal(f->text, expected);
	/* SIGPIPE was SIG_DFL: the shell that writes to nobody dies of it. */
	assert_int_equal(run(f, "kill -PIPE $$; exit 0"), 128 + SIGPIPE);
	f->context.sigpipe = SIG_IGN;
	assert_int_equal(run(f, "kill -PIPE $$; exit 0"), 0);
	signal(SIGPIPE, SIG_DFL);
}

/* Sent to this process, SIGTERM reaches COMMAND, and SIGINT does not. */
static void signals_are_passed_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "trap 'exit 5' TERM; trap 'exit 6' INT; kill -INT $PPID; kill -TERM $PPID;"
			     "while :; do sleep 0.05; done"),
			 5);
}

static double elapsed(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void holding_ends(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct fixture *f = *state;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	hold_wait(&f->hold, &(struct opt_u64){ true, 0 });
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		raise(numbers[i]);
		hold_wait(&f->hold, &(struct opt_u64){ false, 0 });
	}
	raise(SIGTERM);
	hold_wait(&f->hold, &(struct opt_u64){ true, UINT64_MAX });
	assert_true(elapsed(&start) < 60);
	clock_gettime(CLOCK_MONOTONIC, &start);
	hold_wait(&f->hold, &(struct opt_u64){ true, 1 });
	assert_true(elapsed(&start) >= 1);
}

/* nohup(1) and the background jobs of a script mean it. */
static void what_was_ignored_stays_ignored(void **state)
{
	struct fixture *f = *state;
	struct timespec start;
	struct hold hold;

	sigprocmask(SIG_SETMASK, &f->hold.mask, NULL);
	signal(SIGHUP, SIG_IGN);
	hold_begin(&hold, &toy);
	raise(SIGHUP);
	clock_gettime(CLOCK_MONOTONIC, &start);
	hold_wait(&hold, &(struct opt_u64){ true, 1 });
	assert_true(elapsed(&start) >= 1);
	sigprocmask(SIG_SETMASK, &hold.mask, NULL);
	signal(SIGHUP, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exit_status_is_the_commands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_run_is_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(command_has_the_only_copies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(listening_sockets_are_passed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(command_gets_its_signals_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals_are_passed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holding_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_ignored_stays_ignored, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
