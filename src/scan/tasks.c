/* SPDX-License-Identifier: MIT */
#include "scan/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/pids.h"
#include "scan/process.h"

#define LINE_MAX_BYTES 256 /* nine numbers of at most 20 characters */

/* Where the tasks of one process stand: among what one thread found. */
struct piece {
	unsigned thread;
	size_t first, count;
};

/* What one thread has found. */
struct asker {
	struct task *items;
	size_t count;
	uint64_t seen, unreadable;
	int error; /* 0, or -ENOMEM and the like: it is not whole */
	bool incomplete;
	APART;
};

struct asking {
	const struct scan_context *context;
	uint32_t *pids;
	struct piece *pieces; /* of each process */
	size_t count;
	bool looked; /* there is a /proc */
	int error;   /* why it could not be listed: -errno, or 0 */
	struct parallel_work work;
	struct asker askers[MOST_THREADS];
};

/* The process under way. */
struct subject {
	struct asker *asker;
	uint32_t pid;
	uint32_t self; /* the thread that asks: it is in read(2), but not blocked. 0: not known */
	int tasks;     /* a directory with one of each task: /proc/PID/task, or /proc */
	enum { CLASS_UNKNOWN, NATIVE, OTHER } class; /* is its word size ours? Once it matters */
};

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

/* Whether a task has no memory of a program: it has ended, or is one of the kernel's. Such a one
 * refuses all but root. */
static bool is_bare(const struct subject *s, uint32_t tid)
{
	char path[24], text[8] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%u/statm", tid);
	n = read_small_at(s->tasks, path, text, sizeof(text));
	return is_gone((int)n) || (n > 1 && text[0] == '0' && text[1] == ' ');
}

/*
 * Whether the program's words are as wide as ours. The auxiliary vector is an array of pairs of
 * such words, a small number and its value: of two wide pairs the upper half of both numbers is
 * 0, where narrow ones have values, at least one of which is not.
 */
static bool is_native(struct subject *s, uint32_t tid)
{
	uint32_t words[8] = { 0 };
	char path[24];
	ssize_t n;

	if (s->class == CLASS_UNKNOWN) {
		snprintf(path, sizeof(path), "%u/auxv", tid);
		n = read_small_at(s->tasks, path, (char *)words, sizeof(words));
		s->class = OTHER;
		if (n == (ssize_t)sizeof(words)) {
			bool wide = (words[0] == 0 && words[4] == 0) || (words[1] == 0 && words[5] == 0);

			s->class = wide == (sizeof(long) == 8) ? NATIVE : OTHER;
		}
	}
	return s->class == NATIVE;
}

/* Only programs of another word size have all their memory below 4 GiB; so may one of ours. */
static bool is_foreign(struct subject *s, uint32_t tid, const struct syscall_line *line)
{
	if (line->sp > UINT32_MAX || line->pc > UINT32_MAX)
		return sizeof(long) == 4;
	return !is_native(s, tid);
}

static enum task_wait ask_wchan(const struct subject *s, uint32_t tid)
{
	char path[24], text[80];
	ssize_t n;

	snprintf(path, sizeof(path), "%u/wchan", tid);
	n = read_small_at(s->tasks, path, text, sizeof(text));
	return n < 0 ? WAIT_UNKNOWN : wait_of_wchan((struct span){ text, (size_t)n });
}

static void add(struct subject *s, uint32_t tid, const struct syscall_line *line)
{
	struct asker *a = s->asker;
	struct task task = { .pid = s->pid, .tid = tid, .number = line->number };
	enum task_wait wait = wait_of_call(line->number, memcpy(task.args, line->args, sizeof(task.args)));

	if (is_foreign(s, tid, line)) {
		task.flags = TASK_FOREIGN;
		wait = ask_wchan(s, tid);
	} else if (wait == WAIT_UNKNOWN) {
		task.flags = TASK_RESTARTED;
		wait = ask_wchan(s, tid);
	}
	if (wait == WAIT_NOTHING)
		return;
	task.wait = (uint8_t)wait;
	if (vec_reserve(&a->items, a->count, sizeof(*a->items)) < 0)
		a->error = -ENOMEM;
	else
		a->items[a->count++] = task;
}

/* Notes what an error means for how complete the view is. */
static void failed(struct subject *s, int error)
{
	struct asker *a = s->asker;

	if (error == -ENOMEM || error == -EMFILE || error == -ENFILE)
		a->error = error; /* it would go on so */
	else if (error < 0 && !is_gone(error))
		a->incomplete = true;
}

/* Whether there is such a task. */
static bool ask_task(struct subject *s, uint32_t tid)
{
	char path[24], text[LINE_MAX_BYTES];
	struct syscall_line line;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%u/syscall", tid);
	n = read_small_at(s->tasks, path, text, sizeof(text));
	if (is_gone((int)n))
		return false;
	s->asker->seen++;
	if (tid == s->self)
		return true;
	r = n < 0 ? (int)n : syscall_line_parse((struct span){ text, (size_t)n }, &line);
	if (r > 0) {
		add(s, tid, &line);
	} else if (r < 0 && !is_bare(s, tid)) {
		s->asker->unreadable++;
		failed(s, r);
	}
	return true;
}

/* The numbers in a directory, in their order; the kernel tells them so, a recorded tree need not. */
static int64_t sorted_numbers(int dir, uint32_t **numbers)
{
	int64_t n = read_numbers(dir, numbers);

	if (n > 0)
		qsort(*numbers, (size_t)n, sizeof(**numbers), by_u32);
	return n;
}

/*
 * Most processes have one thread, which /proc/PID shows as well: then their folder of tasks need
 * not be read. How many there are, the links to it tell: two more (proc_task_getattr() in
 * fs/proc/base.c). Whether that was so.
 */
static bool ask_only_task(struct subject *s, int proc, const char *path)
{
	struct stat st;

	if (fstatat(proc, path, &st, 0) < 0 || st.st_nlink != 3)
		return false;
	s->tasks = proc;
	return ask_task(s, s->pid);
}

static void ask_tasks(struct subject *s, int proc, const char *path)
{
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	_cleanup_(close_fd) int tasks = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t n = sorted_numbers(tasks, &tids);

	s->tasks = tasks;
	if (n < 0)
		failed(s, (int)n);
	for (int64_t i = 0; i < n && s->asker->error == 0; i++)
		ask_task(s, tids[i]);
}

static void ask_process(void *context, unsigned thread, size_t item)
{
	struct asking *asking = context;
	struct asker *a = &asking->askers[thread];
	struct subject s = { .asker = a, .pid = asking->pids[item] };
	int proc = asking->context->proc;
	size_t before = a->count;
	char path[24];

	if (asking->context->own_proc && asking->context->own_pids)
		s.self = (uint32_t)syscall(SYS_gettid);
	snprintf(path, sizeof(path), "%u/task", s.pid);
	if (!ask_only_task(&s, proc, path))
		ask_tasks(&s, proc, path);
	asking->pieces[item] = (struct piece){ thread, before, a->count - before };
}

/* Puts what the threads found into the order of processes. */
static int merge(struct tasks *t, const struct asking *asking)
{
	size_t total = 0;

	for (size_t i = 0; i < MOST_THREADS; i++) {
		const struct asker *a = &asking->askers[i];

		if (a->error < 0)
			return a->error;
		total += a->count;
		t->seen += a->seen;
		t->unreadable += a->unreadable;
		t->complete &= !a->incomplete && a->unreadable == 0;
	}
	t->items = calloc(total + 1, sizeof(*t->items));
	if (!t->items)
		return -ENOMEM;
	for (size_t p = 0; p < asking->count; p++) {
		const struct piece *piece = &asking->pieces[p];

		for (size_t i = 0; i < piece->count; i++) {
			const struct task *task = &asking->askers[piece->thread].items[piece->first + i];

			t->foreign += (task->flags & TASK_FOREIGN) != 0;
			t->restarted += (task->flags & TASK_RESTARTED) != 0;
			t->items[t->count++] = *task;
		}
	}
	return 0;
}

struct asking *tasks_begin(const struct scan_context *context)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	_cleanup_(close_fd) int dir = openat(context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t n;

	if (!asking)
		return NULL;
	asking->context = context;
	/* Without a /proc nobody can be asked. */
	n = sorted_numbers(dir, &asking->pids);
	asking->looked = n >= 0;
	asking->error = n < 0 && n != -EBADF ? (int)n : 0;
	asking->count = n < 0 ? 0 : (size_t)n;
	asking->work = (struct parallel_work){ ask_process, asking, asking->count };
	asking->pieces = n == -ENOMEM ? NULL : calloc(asking->count + 1, sizeof(*asking->pieces));
	if (!asking->pieces) {
		asking_free(asking);
		return NULL;
	}
	return asking;
}

const struct parallel_work *tasks_work(const struct asking *asking)
{
	return &asking->work;
}

int tasks_end(struct tasks *t, const struct asking *asking)
{
	int r;

	*t = (struct tasks){ .looked = asking->looked, .complete = asking->looked };
	if (!asking->looked)
		return asking->error;
	r = merge(t, asking);
	t->hidden = pids_may_hide(asking->context->proc, t->seen);
	return r;
}

void asking_free(struct asking *asking)
{
	if (!asking)
		return;
	for (size_t i = 0; i < MOST_THREADS; i++)
		free(asking->askers[i].items);
	free(asking->pieces);
	free(asking->pids);
	free(asking);
}

int tasks_read(struct tasks *t, const struct scan_context *context, unsigned threads)
{
	struct asking *asking = tasks_begin(context);
	int r;

	*t = (struct tasks){ 0 };
	if (!asking)
		return -ENOMEM;
	parallel_run(tasks_work(asking), threads ? threads : processor_count());
	r = tasks_end(t, asking);
	asking_free(asking);
	return r;
}

int task_state(const struct scan_context *context, uint32_t pid, uint32_t tid, char *state)
{
	char path[48], text[STAT_MOST];
	struct process_stat stat;
	int r;

	snprintf(path, sizeof(path), "%u/task/%u/stat", pid, tid);
	r = process_stat_read(context->proc, path, text, &stat);
	if (r == 0)
		*state = stat.state;
	return r == -ESRCH ? -ENOENT : r;
}

int task_runs(const struct scan_context *context, uint32_t pid, uint32_t tid, uint64_t *runs)
{
	struct span rest, word;
	char path[48], text[80]; /* nanoseconds of running, of waiting for a processor; times */
	ssize_t n;

	snprintf(path, sizeof(path), "%u/task/%u/schedstat", pid, tid);
	n = read_small_at(context->proc, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	rest = (struct span){ text, (size_t)n };
	while (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
		rest.len--;
	for (int i = 0; i < 3; i++)
		if (!next_word(&rest, &word))
			return -EINVAL;
	return parse_u64(word, runs);
}

int64_t task_count(const struct scan_context *context, uint32_t pid)
{
	struct stat st;
	char path[24];

	snprintf(path, sizeof(path), "%u/task", pid);
	if (fstatat(context->proc, path, &st, 0) < 0)
		return -errno;
	return st.st_nlink >= 2 ? (int64_t)st.st_nlink - 2 : -EINVAL;
}

static int compare_tasks(const void *pa, const void *pb)
{
	const struct task *a = pa, *b = pb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (a->tid > b->tid) - (a->tid < b->tid);
}

const struct task *tasks_find(const struct tasks *t, uint32_t pid, uint32_t tid)
{
	struct task key = { .pid = pid, .tid = tid };

	return t->count ? bsearch(&key, t->items, t->count, sizeof(key), compare_tasks) : NULL;
}

void tasks_free(struct tasks *t)
{
	free(t->items);
	*t = (struct tasks){ 0 };
}
