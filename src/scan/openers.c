/* SPDX-License-Identifier: MIT */
#include "scan/openers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/vec.h"
#include "scan/cached.h"
#include "scan/holders.h"
#include "scan/memory.h"
#include "scan/process.h"

/* A task under way. */
struct opening {
	const struct task *task;
	int proc;
	int dir; /* /proc/PID/task/TID */
};

/* open(2) as a blocked task has called it. */
struct call {
	int at; /* directory descriptor of the task's, or AT_FDCWD */
	uint64_t path;
	uint64_t flags;
};

/* What a task calls that is blocked in open(2) or a sister of it. 0 or -errno. */
static int read_call(const struct opening *t, struct call *call)
{
	const uint64_t *a = t->task->args;
	struct open_how how;
	int r;

	switch (t->task->number) {
#ifdef SYS_open
	case SYS_open:
		*call = (struct call){ AT_FDCWD, a[0], a[1] };
		return 0;
#endif
#ifdef SYS_creat
	case SYS_creat:
		*call = (struct call){ AT_FDCWD, a[0], O_WRONLY };
		return 0;
#endif
	case SYS_openat:
		*call = (struct call){ (int)a[0], a[1], a[2] };
		return 0;
	case SYS_openat2:
		*call = (struct call){ (int)a[0], a[1], 0 };
		r = memory_read(t->proc, t->task->tid, a[2], &how, sizeof(how));
		if (r == 0)
			call->flags = how.flags;
		return r;
	default: /* open_by_handle_at(2): there is no path */
		return -ENOTSUP;
	}
}

/* Which file a path means to the task. 0 or -errno. */
static int look_up(const struct opening *t, const struct call *call, const char *path, struct statx *stx,
		   struct buf *place)
{
	_cleanup_(close_fd) int from = -1;
	char link[32];

	if (path[0] == '/')
		snprintf(link, sizeof(link), "root");
	else if (call->at == AT_FDCWD)
		snprintf(link, sizeof(link), "cwd");
	else
		snprintf(link, sizeof(link), "fd/%d", call->at);
	from = openat(t->dir, link, O_PATH | O_CLOEXEC);
	if (from < 0)
		return -errno;
	return lookup_cached_place(from, path, path[0] == '/', stx, place);
}

static int add(struct openers *o, const struct opening *t, const struct call *call, const struct statx *stx,
	       struct span place)
{
	static const uint8_t accesses[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_READ | ACCESS_WRITE, 0 };
	struct span path = arena_span(&o->arena, place);
	struct stat st;

	if (!path.ptr || vec_reserve(&o->items, o->count, sizeof(*o->items)) < 0)
		return -ENOMEM;
	o->items[o->count++] = (struct opener){
		.key = { S_ISFIFO(stx->stx_mode) ? OBJECT_FIFO : OBJECT_FILE,
			 makedev(stx->stx_dev_major, stx->stx_dev_minor), stx->stx_ino },
		.pid = t->task->pid,
		.tid = t->task->tid,
		.uid = fstat(t->dir, &st) == 0 ? st.st_uid : 0,
		.access = accesses[call->flags & O_ACCMODE],
		.path = path,
	};
	return 0;
}

/* A zombie refuses everybody, but waits for nothing. */
static bool is_dead(const struct opening *t)
{
	struct process_stat stat;
	char text[STAT_MOST];

	return process_stat_read(t->dir, "stat", text, &stat) == 0 &&
	       (stat.state == 'Z' || stat.state == 'X');
}

/*
 * Whether the kernel function that the task sleeps in is that of open(2) of a FIFO or a leased file: 1, 0, or
 * -EACCES: it does not say. The name is a hint only, but one that also knows of calls that
 * are not understood here: those of 32-bit programs, open_by_handle_at(2).
 */
static int sleeps_for_another(const struct opening *t)
{
	static const char *const names[] = { "wait_for_partner", "fifo_open", "__break_lease" };
	_cleanup_(buf_free) struct buf text = { 0 };

	if (read_file_at(t->dir, "wchan", &text) < 0 || span_is(buf_span(&text), "0"))
		return -EACCES;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_starts(buf_span(&text), names[i]))
			return 1;
	return 0;
}

/* The file that a blocked task opens. 0 or -errno. */
static int ask_what(const struct opening *t, struct call *call, struct statx *stx, struct buf *place)
{
	char path[PATH_MAX];
	int r = t->task->flags & TASK_FOREIGN ? -ENOTSUP : read_call(t, call);

	if (r == 0)
		r = memory_read_string(t->proc, t->task->tid, call->path, path);
	return r != 0 ? r : look_up(t, call, path, stx, place);
}

static int ask_opening(struct openers *o, const struct opening *t)
{
	_cleanup_(buf_free) struct buf place = { 0 };
	struct statx stx = { 0 };
	struct call call = { 0 };
	int r = ask_what(t, &call, &stx, &place), sleeps;

	if (r == 0)
		return S_ISFIFO(stx.stx_mode) || S_ISREG(stx.stx_mode) ?
			       add(o, t, &call, &stx, buf_span(&place)) :
			       0;
	if (r == -ENOMEM)
		return r;
	/* What could not be understood or looked up may still be the opener of some FIFO. */
	sleeps = sleeps_for_another(t);
	if (sleeps > 0 || (sleeps < 0 && r != -ENOENT && r != -ESRCH && !is_dead(t)))
		o->complete = false;
	return 0;
}

/* Whether it may be in open(2): so it says, or it cannot be told. */
static bool may_open(const struct task *task)
{
	return task->wait == WAIT_OPEN || (task->wait == WAIT_UNKNOWN && task->flags & TASK_FOREIGN);
}

int openers_find(struct openers *o, const struct scan_context *context, const struct tasks *tasks)
{
	int r = 0;

	*o = (struct openers){ .looked = true };
	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!context->own_proc || !context->own_pids)
		return 0;
	o->complete = tasks->complete;
	for (size_t i = 0; r == 0 && i < tasks->count; i++) {
		struct opening t = { .task = &tasks->items[i], .proc = context->proc };
		char path[32];

		if (!may_open(t.task))
			continue;
		snprintf(path, sizeof(path), "%u/task/%u", t.task->pid, t.task->tid);
		t.dir = openat(t.proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t.dir >= 0)
			r = ask_opening(o, &t);
		else if (errno != ENOENT && errno != ESRCH)
			o->complete = false;
		close_fd(&t.dir);
	}
	return r;
}

const struct opener *openers_next(const struct openers *o, const struct object_key *key,
				  const struct opener *after)
{
	for (size_t i = after ? (size_t)(after - o->items) + 1 : 0; i < o->count; i++)
		if (object_same(&o->items[i].key, key))
			return &o->items[i];
	return NULL;
}

void openers_free(struct openers *o)
{
	free(o->items);
	arena_free(&o->arena);
	*o = (struct openers){ 0 };
}
