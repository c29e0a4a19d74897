/* SPDX-License-Identifier: MIT */
/*
 * What tasks are blocked in: lines of /proc/PID/task/TID/syscall, on recorded trees and of
 * threads of this very program.
 */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "scan/memory.h"
#include "scan/multiplex.h"
#include "scan/tasks.h"

#define NOBODY 65534
#define STACK " 0x7ffc00001000 0x7f0000002000\n"
#define LOW_STACK " 0xffc01000 0xf7f02000\n"
/* Where programs of our own word size have theirs. */
#define OWN_STACK (sizeof(long) == 8 ? STACK : LOW_STACK)

/* Auxiliary vectors: what tells the word size of a program whose stack is low. */
static const uint32_t narrow_words[8] = { 32, 0xf7f00000, 33, 0xf7f01000, 16, 0xbfebfbff, 6, 4096 };
static const uint64_t wide_words[4] = { 33, 0x7ffc12345000, 16, 0xbfebfbff };
static const struct span narrow_auxv = { (const char *)narrow_words, sizeof(narrow_words) };
static const struct span wide_auxv = { (const char *)wide_words, sizeof(wide_words) };

static void lines(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t number;
		uint64_t first, last;
	} e[] = {
		{ "202 0x7f01 0x9 0x0 0x1 0x2 0xffffffffffffffff" STACK, 1, 202, 0x7f01, UINT64_MAX },
		{ "0 0x0 0x0 0x0 0x0 0x0 0x0" STACK, 1, 0, 0, 0 },
		{ "running\n", 0, 0, 0, 0 },
		{ "running", 0, 0, 0, 0 },
		{ "-1 0x7ffc00001000 0x7f0000002000\n", 0, 0, 0, 0 },
		{ "-1 0x0 0x0\n", 0, 0, 0, 0 },
		{ "0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n", 0, 0, 0, 0 }, /* never was in user mode */
		{ "", -EINVAL, 0, 0, 0 },
		{ "\n", -EINVAL, 0, 0, 0 },
		{ "202", -EINVAL, 0, 0, 0 },
		{ "202 0x1 0x2 0x3 0x4 0x5 0x6\n", -EINVAL, 0, 0, 0 },
		{ "202 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", -EINVAL, 0, 0, 0 },
		{ "202 0x1 0x2 0x3 0x4 0x5 x" STACK, -EINVAL, 0, 0, 0 },
		{ "202 0x1 0x2 0x3 0x4 0x5 0x10000000000000000" STACK, -EINVAL, 0, 0, 0 },
		{ "4294967296 0x1 0x2 0x3 0x4 0x5 0x6" STACK, -EINVAL, 0, 0, 0 },
		{ "-2 0x1 0x2 0x3 0x4 0x5 0x6" STACK, -EINVAL, 0, 0, 0 },
		{ "walking 0x1", -EINVAL, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct span text = exact(span_of(e[i].text));
		struct syscall_line line;
		int r = syscall_line_parse(text, &line);

		if (r != e[i].r)
			fail_msg("\"%s\": %d", e[i].text, r);
		if (r > 0) {
			assert_int_equal(line.number, e[i].number);
			assert_true(line.args[0] == e[i].first && line.args[5] == e[i].last);
			assert_true(line.sp == 0x7ffc00001000 && line.pc == 0x7f0000002000);
		}
		free((void *)text.ptr);
	}
}

/* Any bytes at all end in one of the three answers. */
static void random_lines(void **state)
{
	static const char bytes[] = "0123456789abcdefx -\n\t\0run";
	uint64_t seed = 42;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[120];
		size_t len = next_random(&seed) % sizeof(text);
		struct syscall_line line;
		struct span keep;

		for (size_t j = 0; j < len; j++)
			text[j] = bytes[next_random(&seed) % (sizeof(bytes) - 1)];
		keep = exact((struct span){ text, len });
		assert_in_range(syscall_line_parse(keep, &line) + EINVAL, 0, EINVAL + 1);
		free((void *)keep.ptr);
	}
}

static void calls(void **state)
{
	static const struct {
		long number;
		uint64_t second;
		enum task_wait wait;
	} e[] = {
		{ SYS_read, 0, WAIT_READ },
		{ SYS_writev, 0, WAIT_WRITE },
		{ SYS_openat, 0, WAIT_OPEN },
		{ SYS_fcntl, F_SETLKW, WAIT_FCNTL },
		{ SYS_fcntl, F_OFD_SETLKW, WAIT_FCNTL },
		{ SYS_fcntl, F_GETFL, WAIT_NOTHING },
		{ SYS_fcntl, F_SETLK, WAIT_NOTHING },
		{ SYS_flock, 0, WAIT_FLOCK },
		{ SYS_msgsnd, 0, WAIT_MSGSND },
		{ SYS_msgrcv, 0, WAIT_MSGRCV },
		{ SYS_recvmsg, 0, WAIT_RECEIVE },
		{ SYS_sendto, 0, WAIT_SEND },
		{ SYS_accept4, 0, WAIT_ACCEPT },
		{ SYS_connect, 0, WAIT_CONNECT },
		{ SYS_epoll_pwait, 0, WAIT_EPOLL },
		{ SYS_restart_syscall, 0, WAIT_UNKNOWN },
		{ SYS_getpid, 0, WAIT_NOTHING },
		{ SYS_nanosleep, 0, WAIT_NOTHING },
		{ SYS_wait4, 0, WAIT_NOTHING },
#ifdef __x86_64__ /* by number, as the kernel shows them (its syscall_64.tbl) */
		{ 2, 0, WAIT_OPEN },
		{ 7, 0, WAIT_POLL },
		{ 23, 0, WAIT_SELECT },
		{ 65, 0, WAIT_SEMOP },
		{ 220, 0, WAIT_SEMOP },
		{ 202, 0, WAIT_FUTEX },
		{ 232, 0, WAIT_EPOLL },
		{ 242, 0, WAIT_MQ_SEND },
		{ 243, 0, WAIT_MQ_RECEIVE },
		{ 270, 0, WAIT_SELECT },
		{ 271, 0, WAIT_POLL },
		{ 437, 0, WAIT_OPEN },
		{ 441, 0, WAIT_EPOLL },
		{ 449, 0, WAIT_FUTEX_WAITV },
		{ 455, 0, WAIT_FUTEX_WAIT },
		{ 1000000, 0, WAIT_NOTHING },
#endif
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		uint64_t args[6] = { 3, e[i].second };
		enum task_wait wait = wait_of_call((uint32_t)e[i].number, args);

		if (wait != e[i].wait)
			fail_msg("call %ld: %d", e[i].number, wait);
	}
}

static void sleep_functions(void **state)
{
	static const struct {
		const char *name;
		enum task_wait wait;
	} e[] = {
		{ "futex_do_wait", WAIT_FUTEX },
		{ "futex_wait_queue", WAIT_FUTEX },
		{ "rt_mutex_schedule", WAIT_FUTEX },
		{ "poll_schedule_timeout.constprop.0", WAIT_POLL },
		{ "wait_for_partner", WAIT_OPEN },
		{ "hrtimer_nanosleep", WAIT_NOTHING },
		{ "0", WAIT_UNKNOWN },
		{ "", WAIT_UNKNOWN },
		{ "fute", WAIT_UNKNOWN },
		{ "do_signal_stop", WAIT_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct span name = exact(span_of(e[i].name));

		if (wait_of_wchan(name) != e[i].wait)
			fail_msg("%s: %d", e[i].name, wait_of_wchan(name));
		free((void *)name.ptr);
	}
}

/* Recorded trees */

struct tree {
	char root[sizeof("/tmp/ipcctl-tasks-XXXXXX")];
	struct scan_context context;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->root, "/tmp/ipcctl-tasks-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	assert_int_equal(chmod(t->root, 0755), 0);
	t->context.proc = open(t->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->context.proc >= 0);
	*state = t;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int end_tree(void **state)
{
	struct tree *t = *state;

	close(t->context.proc);
	nftw(t->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

/* A file of a task. */
static void put(const struct tree *t, unsigned pid, unsigned tid, const char *name, struct span content)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%u", t->root, pid);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%u/task", t->root, pid);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%u/task/%u", t->root, pid, tid);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%u/task/%u/%s", t->root, pid, tid, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.ptr, content.len), content.len);
	close(fd);
}

static void put_line(const struct tree *t, unsigned pid, unsigned tid, const char *line)
{
	put(t, pid, tid, "syscall", span_of(line));
	put(t, pid, tid, "statm", SPAN("600 300 200 5 0 90 0\n"));
}

/* One of our word size that is in a call with the arguments 1 to 6. */
static void put_task(const struct tree *t, unsigned pid, unsigned tid, long number, const char *stack)
{
	char text[256];

	snprintf(text, sizeof(text), "%ld 0x1 0x2 0x3 0x4 0x5 0x6%s", number, stack);
	put_line(t, pid, tid, text);
	put(t, pid, tid, "auxv", sizeof(long) == 8 ? wide_auxv : narrow_auxv);
}

static void read_all(const struct tree *t, struct tasks *tasks, unsigned threads)
{
	assert_int_equal(tasks_read(tasks, &t->context, threads), 0);
	assert_true(tasks->looked);
}

/* One call for several, on some machines: what matters is where theirs would be. */
static void multiplexed(void **state)
{
	(void)state;
	/* semop(7, 0x80, 2) and msgrcv(7, 0x80, 100, 5, 0), of the version that passes all by value. */
	uint64_t semop[6] = { 1, 7, 2, 0, 0x80, 0 }, msgrcv[6] = { 12 | 1 << 16, 7, 100, 0, 0x80, 5 };
	uint64_t old[6] = { 12, 7, 100, 0, 0x80, 5 }, shmat[6] = { 21, 7, 0, 0, 0, 0 };

	assert_int_equal(wait_of_ipc(semop), WAIT_SEMOP);
	assert_true(semop[0] == 7 && semop[1] == 0x80 && semop[2] == 2 && semop[3] == 0);
	assert_int_equal(wait_of_ipc(msgrcv), WAIT_MSGRCV);
	assert_true(msgrcv[0] == 7 && msgrcv[1] == 0x80 && msgrcv[2] == 100 && msgrcv[3] == 5 &&
		    msgrcv[5] == 0);
	assert_int_equal(wait_of_ipc(old), WAIT_MSGRCV);
	assert_true(old[0] == 7 && old[3] == 0 && old[5] == 0x80);
	assert_int_equal(wait_of_ipc(shmat), WAIT_NOTHING);
	assert_int_equal(wait_of_socketcall((uint64_t[6]){ 10, 0x80 }), WAIT_RECEIVE);
	assert_int_equal(wait_of_socketcall((uint64_t[6]){ 16, 0x80 }), WAIT_SEND);
	assert_int_equal(wait_of_socketcall((uint64_t[6]){ 18, 0x80 }), WAIT_ACCEPT);
	assert_int_equal(wait_of_socketcall((uint64_t[6]){ 3, 0x80 }), WAIT_CONNECT);
	assert_int_equal(wait_of_socketcall((uint64_t[6]){ 1, 0x80 }), WAIT_NOTHING);
}

/* In the order of processes and threads, whoever found them. */
static void order(void **state)
{
	const struct tree *t = *state;

	for (unsigned pid = 150; pid >= 100; pid--)
		for (unsigned i = 4; i-- > 0;)
			if (i == 2)
				put_line(t, pid, pid + i * 1000, "running\n");
			else
				put_task(t, pid, pid + i * 1000, i == 3 ? SYS_getpid : SYS_read, OWN_STACK);
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct tasks tasks;

		read_all(t, &tasks, threads);
		assert_true(tasks.complete && tasks.seen == 51 * 4 && tasks.count == 51 * 2);
		for (size_t i = 0; i < tasks.count; i++) {
			const struct task *task = &tasks.items[i];

			assert_int_equal(task->pid, 100 + i / 2);
			assert_int_equal(task->tid, task->pid + i % 2 * 1000);
			assert_true(task->wait == WAIT_READ && task->number == SYS_read && task->flags == 0);
			for (size_t a = 0; a < ARRAY_SIZE(task->args); a++)
				assert_int_equal(task->args[a], a + 1);
		}
		tasks_free(&tasks);
	}
}

static void restarted(void **state)
{
	const struct tree *t = *state;
	struct tasks tasks;

	for (unsigned pid = 100; pid < 104; pid++)
		put_task(t, pid, pid, SYS_restart_syscall, OWN_STACK);
	put(t, 100, 100, "wchan", SPAN("futex_do_wait"));
	put(t, 101, 101, "wchan", SPAN("hrtimer_nanosleep"));
	put(t, 102, 102, "wchan", SPAN("some_new_function"));
	read_all(t, &tasks, 2); /* that of 103 cannot be read */
	assert_int_equal(tasks.count, 3);
	assert_int_equal(tasks.restarted, 3);
	assert_true(tasks.complete);
	assert_int_equal(tasks.items[0].wait, WAIT_FUTEX);
	assert_int_equal(tasks.items[0].args[5], 6);
	assert_int_equal(tasks.items[1].wait, WAIT_UNKNOWN);
	assert_int_equal(tasks.items[2].wait, WAIT_UNKNOWN);
	for (size_t i = 0; i < tasks.count; i++)
		assert_int_equal(tasks.items[i].flags, TASK_RESTARTED);
	tasks_free(&tasks);
}

/* Numbers of another word size mean other calls: never those of ours. */
static void foreign(void **state)
{
	const struct span own = sizeof(long) == 8 ? wide_auxv : narrow_auxv;
	const struct span other = sizeof(long) == 8 ? narrow_auxv : wide_auxv;
	const struct tree *t = *state;
	struct tasks tasks;

	put_task(t, 100, 100, SYS_read, LOW_STACK);
	put(t, 100, 100, "auxv", other);
	put(t, 100, 100, "wchan", SPAN("wait_for_partner"));
	put_task(t, 101, 101, SYS_read, LOW_STACK); /* of a wide one the stack may lie below 4 GiB, too */
	put(t, 101, 101, "auxv", own);
	put_task(t, 102, 102, SYS_read, LOW_STACK); /* one that does not tell */
	put(t, 102, 102, "auxv", (struct span){ 0 });
	put_task(t, 103, 103, SYS_getpid, LOW_STACK);
	put(t, 103, 103, "auxv", other);
	put(t, 103, 103, "wchan", SPAN("do_wait"));
	read_all(t, &tasks, 1);
	assert_int_equal(tasks.count, 3);
	assert_int_equal(tasks.foreign, 2);
	assert_int_equal(tasks.items[0].wait, WAIT_OPEN);
	assert_int_equal(tasks.items[0].flags, TASK_FOREIGN);
	assert_int_equal(tasks.items[1].wait, WAIT_READ);
	assert_int_equal(tasks.items[1].flags, 0);
	assert_int_equal(tasks.items[2].wait, WAIT_UNKNOWN);
	assert_int_equal(tasks.items[2].flags, TASK_FOREIGN);
	tasks_free(&tasks);
}

/* Who refuses to tell is counted, unless there is nothing to be told. */
static void refused(void **state)
{
	const struct tree *t = *state;
	bool root = geteuid() == 0;
	struct tasks tasks;
	char path[PATH_MAX];

	put_task(t, 100, 100, SYS_read, OWN_STACK);
	for (unsigned pid = 101; pid < 104; pid++) {
		put_task(t, pid, pid, SYS_read, OWN_STACK);
		snprintf(path, sizeof(path), "%s/%u/task/%u/syscall", t->root, pid, pid);
		assert_int_equal(chmod(path, 0), 0);
	}
	put(t, 102, 102, "statm", SPAN("0 0 0 0 0 0 0\n")); /* a zombie, or the kernel's */
	put_line(t, 104, 104, "nonsense\n");
	if (root && seteuid(NOBODY) < 0)
		skip();
	read_all(t, &tasks, 2);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_false(tasks.complete);
	assert_int_equal(tasks.seen, 5);
	assert_int_equal(tasks.unreadable, 3);
	assert_int_equal(tasks.count, 1);
	tasks_free(&tasks);
}

static void no_proc(void **state)
{
	const struct scan_context none = { .proc = -1 };
	struct tasks tasks;

	(void)state;
	assert_int_equal(tasks_read(&tasks, &none, 2), 0);
	assert_false(tasks.looked || tasks.complete);
	tasks_free(&tasks);
}

/* Living threads */

struct waiter {
	atomic_uint tid;
	uint32_t word;
};

static void *wait_on_word(void *argument)
{
	struct waiter *w = argument;

	atomic_store(&w->tid, (unsigned)syscall(SYS_gettid));
	syscall(SYS_futex, &w->word, FUTEX_WAIT, 7, NULL, NULL, 0);
	return NULL;
}

static const struct task *find(const struct tasks *tasks, uint32_t tid)
{
	for (size_t i = 0; i < tasks->count; i++)
		if (tasks->items[i].tid == tid)
			return &tasks->items[i];
	return NULL;
}

/* A thread of ours that sleeps in a call whose arguments we know. */
static void a_living_thread(void **state)
{
	struct waiter w = { .word = 7 };
	struct scan_context context;
	const struct task *task = NULL;
	char letter = 0;
	struct tasks tasks = { 0 };
	pthread_t thread;

	(void)state;
	if (access("/proc/self/syscall", R_OK) < 0)
		skip(); /* a kernel without CONFIG_HAVE_ARCH_TRACEHOOK */
	assert_int_equal(scan_context_open(&context, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_on_word, &w), 0);
	for (int i = 0; i < 5000 && !task; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		tasks_free(&tasks);
		assert_int_equal(tasks_read(&tasks, &context, 1), 0);
		task = atomic_load(&w.tid) ? find(&tasks, atomic_load(&w.tid)) : NULL;
	}
	assert_non_null(task);
	assert_int_equal(task->pid, getpid());
	assert_int_equal(task->wait, WAIT_FUTEX);
	assert_int_equal(task->args[0], (uintptr_t)&w.word);
	assert_int_equal(task->args[1], FUTEX_WAIT);
	assert_int_equal(task->args[2], 7);
	assert_int_equal(task_state(&context, task->pid, task->tid, &letter), 0);
	assert_int_equal(letter, 'S');
	assert_null(find(&tasks, (uint32_t)syscall(SYS_gettid)));
	syscall(SYS_futex, &w.word, FUTEX_WAKE, 1, NULL, NULL, 0);
	pthread_join(thread, NULL);
	tasks_free(&tasks);
	scan_context_close(&context);
}

/* Pages that nobody has touched are not brought in. */
static void memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct scan_context context;
	char *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t self = (uint32_t)getpid();
	char text[PATH_MAX];
	unsigned char in_core[3];

	(void)state;
	assert_true(map != MAP_FAILED);
	assert_int_equal(scan_context_open(&context, NULL), 0);
	memset(map, 'x', 2 * page);
	strcpy(map + page - 2, "over the edge");
	assert_int_equal(memory_read_page(context.proc, self, (uintptr_t)map + page - 2, text, 10), 2);
	assert_int_equal(memory_read(context.proc, self, (uintptr_t)map + page - 2, text, 8), 0);
	assert_memory_equal(text, "over the", 8);
	assert_int_equal(memory_read_string(context.proc, self, (uintptr_t)map + page - 2, text), 0);
	assert_string_equal(text, "over the edge");
	assert_int_equal(memory_read(context.proc, self, (uintptr_t)map + 2 * page - 1, text, 2), -EAGAIN);
	assert_int_equal(memory_read_page(context.proc, self, (uintptr_t)map + 2 * page, text, 1), -EAGAIN);
	assert_int_equal(mincore(map, 3 * page, in_core), 0);
	assert_false(in_core[2] & 1);
	memset(map, 'x', 2 * page);
	if (page >= PATH_MAX)
		assert_int_equal(memory_read_string(context.proc, self, (uintptr_t)map, text), -ENAMETOOLONG);
	assert_true(memory_read(context.proc, self, 16, text, 1) < 0);
	assert_true(memory_read(context.proc, self, UINT64_MAX - 2, text, 8) < 0);
	munmap(map, 3 * page);
	scan_context_close(&context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(random_lines),
		cmocka_unit_test(calls),
		cmocka_unit_test(sleep_functions),
		cmocka_unit_test(multiplexed),
		cmocka_unit_test_setup_teardown(order, make_tree, end_tree),
		cmocka_unit_test_setup_teardown(restarted, make_tree, end_tree),
		cmocka_unit_test_setup_teardown(foreign, make_tree, end_tree),
		cmocka_unit_test_setup_teardown(refused, make_tree, end_tree),
		cmocka_unit_test(no_proc),
		cmocka_unit_test(a_living_thread),
		cmocka_unit_test(memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
