/* SPDX-License-Identifier: MIT */
/* The signals of processes: /proc/PID/status, and the reading of a recorded /proc. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kind/registry.h"
#include "scan/sigqueue.h"

static const char sample[] = "Name:\tsleep\n"
			     "Umask:\t0022\n"
			     "State:\tS (sleeping)\n"
			     "Tgid:\t1234\n"
			     "Ngid:\t0\n"
			     "Pid:\t1235\n"
			     "PPid:\t1\n"
			     "TracerPid:\t77\n"
			     "Uid:\t1000\t4294967294\t3\t4\n"
			     "Gid:\t1000\t1000\t1000\t1000\n"
			     "FDSize:\t64\n"
			     "Groups:\t4 24 \n"
			     "VmPeak:\t    5472 kB\n"
			     "CoreDumping:\t0\n"
			     "Threads:\t3\n"
			     "SigQ:\t5/127451\n"
			     "SigPnd:\t0000000000000800\n"
			     "ShdPnd:\t8000000000000200\n"
			     "SigBlk:\tffffffffffffffff\n"
			     "SigIgn:\t0000000000001000\n"
			     "SigCgt:\t0000000180000000\n"
			     "CapInh:\t0000000000000000\n"
			     "Mems_allowed_list:\t0\n";

static void status(void **state)
{
	struct span text = exact(span_of(sample));
	struct signal_status s;

	(void)state;
	assert_int_equal(signal_status_parse(text, &s), 0);
	assert_span(s.name, SPAN("sleep"));
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.leader, 1234);
	assert_int_equal(s.tracer, 77);
	assert_int_equal(s.real_uid, 1000);
	assert_true(s.uid == 4294967294u);
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.queued, 5);
	assert_int_equal(s.limit, 127451);
	assert_true(s.pending == 0x800 && s.process_pending == 0x8000000000000200 &&
		    s.blocked == UINT64_MAX && s.ignored == 0x1000 && s.caught == 0x180000000);
	free((void *)text.ptr);
}

/* Each line that is read, with what must not pass in its place. */
static const struct {
	const char *line, *bad[6];
} lines[] = {
	{ "Name:\tsleep\n", { "", "Name:\tsleep\nName:\tother\n" } },
	{ "State:\tS (sleeping)\n", { "", "State:\n", "State:\t\n", "State:\tSS (x)\n" } },
	{ "Tgid:\t1234\n", { "", "Tgid:\t\n", "Tgid:\t-1\n", "Tgid:\t4294967296\n", "Tgid:\t1x\n" } },
	{ "TracerPid:\t77\n", { "", "TracerPid:\t\n", "TracerPid:\tx\n" } },
	{ "Uid:\t1000\t4294967294\t3\t4\n",
	  { "", "Uid:\t1\n", "Uid:\t-1\t0\t0\t0\n", "Uid:\t1\t4294967296\n" } },
	{ "Threads:\t3\n", { "", "Threads:\t-3\n", "Threads:\t3\nThreads:\t3\n" } },
	{ "SigQ:\t5/127451\n",
	  { "", "SigQ:\t5\n", "SigQ:\t5/\n", "SigQ:\t/5\n", "SigQ:\t5/6/7\n", "SigQ:\t-1/1\n" } },
	{ "SigPnd:\t0000000000000800\n",
	  { "", "SigPnd:\t\n", "SigPnd:\t0x8\n", "SigPnd:\t10000000000000000\n", "SigPnd:\t8g\n",
	    "SigPnd:\t1\nSigPnd:\t1\n" } },
	{ "ShdPnd:\t8000000000000200\n", { "", "ShdPnd:\t-1\n" } },
	{ "SigBlk:\tffffffffffffffff\n", { "", "SigBlk:\tffffffffffffffff0\n" } },
	{ "SigIgn:\t0000000000001000\n", { "", "SigIgn:\n" } },
	{ "SigCgt:\t0000000180000000\n", { "", "SigCgt:\t \n" } },
};

static void status_fails_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (size_t j = 0; j < sizeof(lines[i].bad) / sizeof(lines[i].bad[0]) && lines[i].bad[j];
		     j++) {
			const char *at = strstr(sample, lines[i].line);
			struct signal_status s = { .state = '!' };
			struct buf b = { 0 };
			struct span text;

			assert_non_null(at);
			buf_put(&b, sample, (size_t)(at - sample));
			buf_puts(&b, lines[i].bad[j]);
			buf_puts(&b, at + strlen(lines[i].line));
			text = exact(buf_span(&b));
			if (signal_status_parse(text, &s) != -EINVAL || s.state != '!')
				fail_msg("%s for %s was taken", lines[i].bad[j], lines[i].line);
			free((void *)text.ptr);
			buf_free(&b);
		}
}

/* Cut anywhere, and spoiled anywhere: it is refused or understood, and never read past the end. */
static void status_of_anything(void **state)
{
	uint64_t seed = 4711;

	(void)state;
	for (size_t n = 0; n < sizeof(sample) - 1; n++) {
		struct span text = exact((struct span){ sample, n });
		struct signal_status s;

		/* Whole is only what has the last line that is read. */
		if (n <= (size_t)(strstr(sample, "SigCgt:") - sample) + 8)
			assert_int_equal(signal_status_parse(text, &s), -EINVAL);
		else
			assert_true(signal_status_parse(text, &s) <= 0);
		free((void *)text.ptr);
	}
	for (int i = 0; i < 20000; i++) {
		struct span text = exact(SPAN(sample));
		struct signal_status s;

		for (int j = 0; j < 3; j++)
			((char *)(uintptr_t)text.ptr)[next_random(&seed) % text.len] =
				(char)next_random(&seed);
		assert_true(signal_status_parse(text, &s) <= 0);
		free((void *)text.ptr);
	}
}

/* A directory that looks like /proc. */
struct tree {
	char root[sizeof("/tmp/ipcctl-signals-XXXXXX")];
	struct scan_context context;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->root, "/tmp/ipcctl-signals-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	t->context.proc = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->context.proc >= 0);
	*state = t;
	return 0;
}

static void remove_below(int dir)
{
	DIR *d = fdopendir(dir);

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0) {
			remove_below(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			assert_int_equal(unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR), 0);
		}
	}
	closedir(d);
}

static int end_tree(void **state)
{
	struct tree *t = *state;

	remove_below(dup(t->context.proc));
	close(t->context.proc);
	assert_int_equal(rmdir(t->root), 0);
	free(t);
	return 0;
}

static void put(const struct tree *t, const char *path, const char *text)
{
	char parent[64];
	int fd;

	for (const char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		mkdirat(t->context.proc, parent, 0755);
	}
	fd = openat(t->context.proc, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* What differs from thread to thread. */
struct written_task {
	unsigned pid, tid, threads;
	char state;
	const char *name;
	uint64_t pending, process_pending, blocked;
};

static void put_task(const struct tree *t, const struct written_task *task)
{
	char path[64], text[1024];

	snprintf(text, sizeof(text),
		 "Name:\t%s\nState:\t%c "
		 "(x)\nTgid:\t%u\nPid:\t%u\nTracerPid:\t0\nUid:\t1\t2\t3\t4\nThreads:\t%u\n"
		 "SigQ:\t1/2\nSigPnd:\t%llx\nShdPnd:\t%llx\nSigBlk:\t%llx\nSigIgn:\t4\nSigCgt:\t8\n",
		 task->name, task->state, task->pid, task->tid, task->threads,
		 (unsigned long long)task->pending, (unsigned long long)task->process_pending,
		 (unsigned long long)task->blocked);
	snprintf(path, sizeof(path), "%u/task/%u/status", task->pid, task->tid);
	put(t, path, text);
	if (task->pid != task->tid)
		return;
	snprintf(path, sizeof(path), "%u/status", task->pid);
	put(t, path, text);
	snprintf(path, sizeof(path), "%u/stat", task->pid);
	snprintf(text, sizeof(text), "%u (a\nSigPnd: ff) %c 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 0 0 %u 0 4242 0\n",
		 task->pid, task->state, task->threads);
	put(t, path, text);
}

static struct process_signals read_tree(const struct tree *t, const struct name_list *numbers,
					uint64_t unreadable)
{
	struct process_signals signals = { 0 };
	struct warnings warnings = { 0 };

	assert_int_equal(signals_read(&signals, &t->context, numbers, 2, &warnings), 0);
	assert_int_equal(signals.unreadable, unreadable);
	/* Nothing in the tree says that this is the first PID namespace. */
	assert_true(numbers->count > 0 || warnings.incomplete);
	warnings_free(&warnings);
	return signals;
}

static void tree(void **state)
{
	static const struct written_task tasks[] = {
		{ 10, 10, 1, 'S', "none", 0, 0, UINT64_MAX },
		{ 9, 9, 1, 'S', "a\\nSigPnd: ff", 0x800, 0, 0x800 },
		{ 30, 30, 3, 'S', "main", 0, 0x200, 0x200 },
		{ 30, 31, 3, 'D', "\\\\n\\n", 0x1, 0x200, 0x3 },
		{ 30, 32, 3, 'T', "other", 0x4000, 0x200, 0 },
		{ 40, 40, 2, 'Z', "gone", 0, 0x200, 0 },
		{ 40, 41, 2, 'S', "left", 0, 0x200, 0x200 },
		{ 50, 50, 1, 'Z', "zombie", 0, 0x100, 0 },
		{ 60, 60, 2, 'S', "quiet", 0, 0, 0 },
		{ 60, 61, 2, 'S', "quiet", 0, 0, 0 },
	};
	const struct tree *t = *state;
	struct name_list numbers = { 0 };
	struct process_signals s;

	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		put_task(t, &tasks[i]);
	put(t, "70/status", "Name:\tspoiled\nSigPnd:\tff\n");
	put(t, "self", "no process");
	s = read_tree(t, &numbers, 1);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.items[0].pid, 9);
	assert_true(s.items[0].thread_pending == 0x800 && s.items[0].pending == 0 &&
		    s.items[0].blocked == 0x800);
	assert_span(s.items[0].command, SPAN("a\nSigPnd: ff"));
	assert_span(s.items[0].threads[0].command, SPAN("a\nSigPnd: ff"));
	assert_int_equal(s.items[0].start_ticks, 4242);
	assert_true(s.items[0].real_uid == 1 && s.items[0].uid == 2 && s.items[0].ignored == 4 &&
		    s.items[0].caught == 8);
	assert_int_equal(s.items[1].pid, 30);
	assert_int_equal(s.items[1].nthreads, 3);
	assert_true(s.items[1].thread_pending == 0x4001 && s.items[1].pending == 0x200);
	for (size_t i = 0; i < 3; i++)
		if (s.items[1].threads[i].tid == 31) {
			assert_span(s.items[1].threads[i].command, SPAN("\\n\n"));
			assert_true(s.items[1].threads[i].pending == 1 && s.items[1].threads[i].blocked == 3);
		}
	assert_int_equal(s.items[2].pid, 40);
	assert_int_equal(s.items[2].state, 'Z');
	assert_int_equal(signals_find(&s, 30), 1);
	assert_int_equal(signals_find(&s, 50), -ENOENT);
	assert_int_equal(signals_find(&s, 31), -ENOENT);
	signals_free(&s);
}

/* Those that are named are told whatever they have, and each once. */
static void named(void **state)
{
	static const struct written_task tasks[] = {
		{ 10, 10, 1, 'S', "none", 0, 0, UINT64_MAX },
		{ 50, 50, 1, 'Z', "zombie", 0, 0x100, 0 },
		{ 60, 60, 1, 'S', "pending", 0, 1, 1 },
	};
	static const char *const words[] = { "50", "10", "10", "99", "4294967306", "x", "0" };
	const struct tree *t = *state;
	struct name_list numbers = { 0 };
	struct process_signals s;

	for (size_t i = 0; i < 3; i++)
		put_task(t, &tasks[i]);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(name_list_add(&numbers, span_of(words[i])), 0);
	s = read_tree(t, &numbers, 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.items[0].pid, 10);
	assert_int_equal(s.items[1].pid, 50);
	assert_false(signal_process_waits(&s.items[0]));
	assert_false(signal_process_waits(&s.items[1]));
	signals_free(&s);
	name_list_free(&numbers);
}

/* Why a signal is pending, as it follows from the threads: SIGUSR1 for the process. */
static void reasons(void **state)
{
	const uint64_t usr1 = SIGNAL_BIT(SIGUSR1);
	const struct {
		struct signal_thread threads[3];
		size_t nthreads;
		const char *why;
	} cases[] = {
		{ { { .state = 'S', .blocked = usr1 } }, 1, "blocked" },
		{ { { .state = 'S', .blocked = ~usr1 } }, 1, "unblocked" },
		{ { { .state = 'R' } }, 1, "unblocked" },
		{ { { .state = 'T' } }, 1, "stopped" },
		{ { { .state = 't' } }, 1, "traced" },
		{ { { .state = 'D' } }, 1, "uninterruptible" },
		{ { { .state = 'Z' } }, 1, "ended" },
		{ { { .state = 'Z' }, { .state = 'X' } }, 2, "ended" },
		/* A stopped process whose threads all block it: going on would not help. */
		{ { { .state = 'T', .blocked = usr1 } }, 1, "blocked" },
		{ { { .state = 'S', .blocked = usr1 }, { .state = 'S', .blocked = usr1 } }, 2, "blocked" },
		{ { { .state = 'S', .blocked = usr1 }, { .state = 'D' } }, 2, "uninterruptible" },
		{ { { .state = 'T', .blocked = usr1 }, { .state = 'T' } }, 2, "stopped" },
		{ { { .state = 'D' }, { .state = 'S', .blocked = usr1 }, { .state = 'S' } }, 3, "unblocked" },
		/* What a dead thread blocks or does not counts for nothing. */
		{ { { .state = 'Z' }, { .state = 'S', .blocked = usr1 } }, 2, "blocked" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signal_process process = { .pid = 1,
						  .leader = 1,
						  .state = cases[i].threads[0].state,
						  .command = SPAN("x"),
						  .pending = usr1,
						  .threads = (struct signal_thread *)cases[i].threads,
						  .nthreads = cases[i].nthreads };
		struct snapshot snapshot = { .signals = { .items = &process, .count = 1 } };
		struct projector p = { .snapshot = &snapshot };
		int why = schema_find(kind_signal.schema, SPAN("why"));
		struct arena arena = { 0 };
		struct record r;

		p.want.bits = (uint64_t)1 << why;
		assert_int_equal(record_init(&r, kind_signal.schema, &arena), 0);
		assert_int_equal(kind_signal.project(&p, 0, &r), 0);
		assert_int_equal(r.values[why].state, VALUE_SET);
		assert_span(r.values[why].str, span_of(cases[i].why));
		projector_free(&p);
		arena_free(&arena);
	}
}

/* A child that blocks SIGUSR1 and is sent it once. */
static pid_t start_child(void)
{
	sigset_t set, before;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &before);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (true)
			pause();
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	return pid;
}

/* How often it has gone to sleep; once it sleeps. */
static long sleeps(pid_t pid)
{
	char path[40], line[200], sleeping = 0;
	long n = -1;

	for (int i = 0; i < 10000 && sleeping != 'S'; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
		f = fopen(path, "re");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			sscanf(line, "State: %c", &sleeping);
			sscanf(line, "voluntary_ctxt_switches: %ld", &n);
		}
		fclose(f);
		usleep(1000);
	}
	assert_int_equal(sleeping, 'S');
	return n;
}

static struct process_signals read_child(const struct scan_context *context, pid_t pid)
{
	struct process_signals signals = { 0 };
	struct warnings warnings = { 0 };
	struct name_list numbers = { 0 };
	char text[12];

	snprintf(text, sizeof(text), "%d", (int)pid);
	assert_int_equal(name_list_add(&numbers, span_of(text)), 0);
	assert_int_equal(signals_read(&signals, context, &numbers, 1, &warnings), 0);
	assert_int_equal(signals.count, 1);
	name_list_free(&numbers);
	warnings_free(&warnings);
	return signals;
}

/* A process or thread that was given the number of the one that was found is not stopped. */
static void reused_numbers(void **state)
{
	pid_t child = start_child(), other = start_child();
	struct scan_context context;
	struct process_signals signals;
	struct signal_queue queue;
	long before, others;
	int r;

	(void)state;
	assert_int_equal(scan_context_open(&context, NULL), 0);
	before = sleeps(child);
	others = sleeps(other);
	signals = read_child(&context, child);
	signals.items[0].start_ticks++;
	assert_int_equal(signal_queue_read(&queue, &context, &signals.items[0]), -ESRCH);
	signal_queue_free(&queue);
	signals.items[0].start_ticks--;
	signals.items[0].threads[0].tid = (uint32_t)other;
	assert_true(signal_queue_read(&queue, &context, &signals.items[0]) < 0);
	assert_int_equal(queue.count, 0);
	signal_queue_free(&queue);
	assert_int_equal(sleeps(child), before);
	assert_int_equal(sleeps(other), others);
	/* But the very process is: else the test would prove nothing. */
	signals.items[0].threads[0].tid = (uint32_t)child;
	r = signal_queue_read(&queue, &context, &signals.items[0]);
	if (r != -EPERM) { /* a container may forbid it */
		assert_int_equal(r, 0);
		assert_int_equal(queue.count, 1);
		assert_int_equal(queue.items[0].info.si_signo, SIGUSR1);
		assert_int_equal(queue.items[0].info.si_pid, getpid());
		assert_true(sleeps(child) > before);
	}
	signal_queue_free(&queue);
	signals_free(&signals);
	scan_context_close(&context);
	kill(child, SIGKILL);
	kill(other, SIGKILL);
	waitpid(child, NULL, 0);
	waitpid(other, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status),
		cmocka_unit_test(status_fails_closed),
		cmocka_unit_test(status_of_anything),
		cmocka_unit_test_setup_teardown(tree, make_tree, end_tree),
		cmocka_unit_test_setup_teardown(named, make_tree, end_tree),
		cmocka_unit_test(reasons),
		cmocka_unit_test(reused_numbers),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
