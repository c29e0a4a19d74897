/* SPDX-License-Identifier: MIT */
#include "scan/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parallel.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/pids.h"
#include "scan/process.h"

/* What one thread of ours needs. */
struct reader {
	int proc;
	int64_t boot; /* of boot_time() */
	struct buf text;
	struct signal_thread *threads; /* of the process under way */
	size_t nthreads;
	struct arena names; /* of those threads */
	struct arena *arena;
	uint64_t seen, unreadable; /* threads, processes */
	int error;		   /* 0, or -ENOMEM and the like: what was found is not whole */
	APART;
};

struct reading {
	const struct scan_context *context;
	bool named; /* the processes were asked for: they are kept in any case */
	struct reader readers[MOST_THREADS];
	struct signal_process *items; /* pid is set before; what is not kept has none then */
	size_t count;
};

/* Notes what an error means for how complete the view is. */
static void note(struct reader *r, int error)
{
	if (error == -ENOMEM || error == -EMFILE || error == -ENFILE)
		r->error = error;
	else if (error < 0 && error != -ENOENT && error != -ESRCH)
		r->unreadable++;
}

static int read_status(struct reader *r, int dir, const char *path, struct signal_status *status)
{
	int e;

	buf_reset(&r->text);
	e = read_file_at(dir, path, &r->text);
	return e < 0 ? e : signal_status_parse(buf_span(&r->text), status);
}

/* The bytes of a name of which newline and backslash are escaped (proc_task_name() in
 * fs/proc/array.c). */
static struct span unescape_name(struct arena *arena, struct span text)
{
	struct span copy = arena_span(arena, text);
	char *to = (char *)(uintptr_t)copy.ptr;
	size_t len = 0;

	for (size_t i = 0; copy.ptr && i < text.len; i++) {
		bool escaped = text.ptr[i] == '\\' && i + 1 < text.len;

		i += escaped;
		to[len++] = (char)(escaped && text.ptr[i] == 'n' ? '\n' : text.ptr[i]);
	}
	copy.len = len;
	return copy;
}

static int add_thread(struct reader *r, uint32_t tid, const struct signal_status *status)
{
	struct signal_thread t = { tid,
				   status->tracer,
				   status->state,
				   status->pending,
				   status->blocked,
				   unescape_name(&r->names, status->name) };

	if (!t.command.ptr || vec_reserve(&r->threads, r->nthreads, sizeof(*r->threads)) < 0)
		return -ENOMEM;
	r->threads[r->nthreads++] = t;
	return 0;
}

/* Each of several threads but the main one. 0, or -errno of one that cannot be read. */
static int read_threads(struct reader *r, int dir, uint32_t leader)
{
	_cleanup_(close_fd) int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	int64_t n = read_numbers(tasks, &tids);
	struct signal_status status;
	char path[24];
	int e = n < 0 ? (int)n : 0;

	for (int64_t i = 0; e == 0 && i < n; i++) {
		if (tids[i] == leader)
			continue;
		snprintf(path, sizeof(path), "%u/status", tids[i]);
		e = read_status(r, tasks, path, &status);
		if (e == 0)
			e = add_thread(r, tids[i], &status);
		else if (e == -ENOENT || e == -ESRCH)
			e = 0;
	}
	return e;
}

bool signal_process_waits(const struct signal_process *p)
{
	if (!(p->pending | p->thread_pending))
		return false;
	for (size_t i = 0; i < p->nthreads; i++)
		if (!signal_thread_ended(p->threads[i].state))
			return true;
	return false;
}

static void take_status(struct signal_process *p, const struct signal_status *status)
{
	p->leader = status->leader;
	p->real_uid = status->real_uid;
	p->uid = status->uid;
	p->state = status->state;
	p->queued = status->queued;
	p->limit = status->limit;
	p->pending = status->process_pending;
	p->blocked = status->blocked;
	p->ignored = status->ignored;
	p->caught = status->caught;
}

/* What is left to be known of a process that is kept. */
static int keep(struct reader *r, int dir, struct signal_process *p)
{
	struct process_stat stat;
	int e;

	buf_reset(&r->text);
	e = read_file_at(dir, "stat", &r->text);
	if (e == 0)
		e = process_stat_parse(buf_span(&r->text), &stat);
	if (e != 0)
		return e;
	p->start_ticks = stat.start_ticks;
	p->start = process_start(stat.start_ticks, r->boot);
	p->command = arena_span(r->arena, stat.command);
	p->threads = arena_calloc(r->arena, r->nthreads, sizeof(*p->threads));
	if (!p->command.ptr || !p->threads)
		return -ENOMEM;
	for (size_t i = 0; i < r->nthreads; i++) {
		p->threads[i] = r->threads[i];
		p->threads[i].command = arena_span(r->arena, r->threads[i].command);
		if (!p->threads[i].command.ptr)
			return -ENOMEM;
	}
	p->nthreads = r->nthreads;
	return 0;
}

/* All of one process, through a descriptor of its directory: that stays its own. 1: it is to be
 * kept, 0: it is not, or -errno. */
static int read_closely(struct reader *r, struct signal_process *p, bool named)
{
	_cleanup_(close_fd) int dir = -1;
	struct signal_status status;
	char name[12];
	int e;

	snprintf(name, sizeof(name), "%u", p->pid);
	dir = openat(r->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r->nthreads = 0;
	arena_reset(&r->names);
	e = read_status(r, dir, "status", &status);
	if (e < 0)
		return e;
	take_status(p, &status);
	if (p->leader != p->pid)
		return named;
	/* Of the main thread this file tells all. */
	e = add_thread(r, p->pid, &status);
	if (e == 0 && status.threads > 1)
		e = read_threads(r, dir, p->pid);
	for (size_t i = 0; i < r->nthreads; i++)
		p->thread_pending |= r->threads[i].pending;
	if (e == 0 && !named && !(p->pending | p->thread_pending))
		return 0;
	if (e == 0)
		e = keep(r, dir, p);
	return e < 0 ? e : named || signal_process_waits(p);
}

/* Whether it is hidden rather than gone: the kernel still knows it. */
static bool is_hidden(const struct reading *reading, uint32_t pid)
{
	return reading->named && reading->context->own_proc && reading->context->own_pids &&
	       (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static void read_process(void *context, unsigned thread, size_t item)
{
	struct reading *reading = context;
	struct reader *r = &reading->readers[thread];
	struct signal_process *p = &reading->items[item];
	struct signal_status status = { 0 };
	char path[24];
	int e;

	snprintf(path, sizeof(path), "%u/status", p->pid);
	e = read_status(r, r->proc, path, &status);
	r->seen += e == 0 ? status.threads : 0;
	/* Most have one thread, and nothing pending. */
	if (e == 0 && (reading->named || status.threads > 1 || (status.pending | status.process_pending)))
		e = read_closely(r, p, reading->named);
	if (e == -ENOENT && is_hidden(reading, p->pid))
		e = -EACCES;
	note(r, e);
	if (e <= 0)
		p->pid = 0;
}

static int compare_pids(const void *pa, const void *pb)
{
	const struct signal_process *a = pa, *b = pb;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* Who is to be looked at: those that were named, or all. 0 or -errno. */
static int list_processes(struct reading *reading, const struct name_list *numbers)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n = (int64_t)numbers->count;
	uint64_t number;

	if (!reading->named) {
		dir = openat(reading->context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		n = read_numbers(dir, &pids);
	}
	if (n < 0)
		return (int)n;
	reading->items = calloc((size_t)n + 1, sizeof(*reading->items));
	if (!reading->items)
		return -ENOMEM;
	for (int64_t i = 0; i < n; i++) {
		if (reading->named && parse_u64_in(numbers->items[i], 1, INT32_MAX, &number) < 0)
			continue;
		reading->items[reading->count++].pid = reading->named ? (uint32_t)number : pids[i];
	}
	return 0;
}

/* Drops what is not kept, and what was named twice. */
static void compact(struct reading *reading, struct process_signals *signals)
{
	struct signal_process *items = reading->items;
	size_t n = 0;

	qsort(items, reading->count, sizeof(*items), compare_pids);
	for (size_t i = 0; i < reading->count; i++)
		if (items[i].pid != 0 && (n == 0 || items[n - 1].pid != items[i].pid))
			items[n++] = items[i];
	signals->items = items;
	signals->count = n;
	reading->items = NULL;
}

static void warn(const struct process_signals *signals, int proc, int hidden, struct warnings *warnings)
{
	if (signals->unreadable)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = EACCES,
						.text = signals->unreadable == 1 ?
								"process could not be read; whether signals "
								"are pending for it is not known" :
								"processes could not be read; whether "
								"signals are pending for them is not known",
						.count = signals->unreadable,
						.unseen = signals->unreadable == 1 ? "process" : "processes",
						.rights = RIGHTS_OF_MAPPINGS });
	if (hidden)
		pids_warn_hidden(proc, hidden, "signals may be pending for processes that are not shown here",
				 warnings);
}

static int read_all(struct reading *reading, struct process_signals *signals, unsigned threads,
		    struct warnings *warnings)
{
	int64_t boot = boot_time();
	int proc = reading->context->proc;
	uint64_t seen = 0;
	int e = 0;

	signals->arenas = calloc(MOST_THREADS, sizeof(*signals->arenas));
	if (!signals->arenas)
		return -ENOMEM;
	for (size_t t = 0; t < MOST_THREADS; t++)
		reading->readers[t] =
			(struct reader){ .proc = proc, .boot = boot, .arena = &signals->arenas[t] };
	parallel_run(&(struct parallel_work){ read_process, reading, reading->count }, threads);
	for (size_t t = 0; t < MOST_THREADS; t++) {
		seen += reading->readers[t].seen;
		signals->unreadable += reading->readers[t].unreadable;
		e = e < 0 ? e : reading->readers[t].error;
	}
	compact(reading, signals);
	warn(signals, proc, reading->named ? 0 : pids_may_hide(proc, seen), warnings);
	return e;
}

int signals_read(struct process_signals *signals, const struct scan_context *context,
		 const struct name_list *numbers, unsigned threads, struct warnings *warnings)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int e;

	if (!reading)
		return -ENOMEM;
	reading->context = context;
	reading->named = numbers->count > 0;
	e = list_processes(reading, numbers);
	if (e == 0)
		e = read_all(reading, signals, threads, warnings);
	for (size_t t = 0; t < MOST_THREADS; t++) {
		buf_free(&reading->readers[t].text);
		arena_free(&reading->readers[t].names);
		free(reading->readers[t].threads);
	}
	free(reading->items);
	free(reading);
	if (e < 0 && e != -ENOMEM)
		warnings_add(warnings, &(struct warning){ .subject = "/proc", .error = -e });
	return e == -ENOMEM ? e : 0;
}

int64_t signals_find(const struct process_signals *signals, uint32_t pid)
{
	const struct signal_process key = { .pid = pid }, *found;

	found = signals->count == 0 ?
			NULL :
			bsearch(&key, signals->items, signals->count, sizeof(key), compare_pids);
	return found ? found - signals->items : -ENOENT;
}

void signals_free(struct process_signals *signals)
{
	for (size_t t = 0; signals->arenas && t < MOST_THREADS; t++)
		arena_free(&signals->arenas[t]);
	free(signals->arenas);
	free(signals->items);
	*signals = (struct process_signals){ 0 };
}
