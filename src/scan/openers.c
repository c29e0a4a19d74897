/* SPDX-License-Identifier: MIT */
#include "scan/openers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/cached.h"
#include "scan/holders.h"
#include "scan/process.h"

/* A task under way. */
struct task {
	uint32_t pid, tid;
	int dir; /* /proc/PID/task/TID */
};

/* open(2) as a blocked task has called it. */
struct call {
	int at; /* directory descriptor of the task's, or AT_FDCWD */
	uint64_t path;
	uint64_t flags;
};

/*
 * Whether the page at an address is in memory. Reading one that is not may wait for the
 * file system behind it (Documentation/admin-guide/mm/pagemap.rst: bit 63).
 */
static bool is_resident(const struct task *t, uint64_t address)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry = 0;
	_cleanup_(close_fd) int fd = -1;
	char path[40];

	/* Below task there is no file of that name, but each thread has a directory among the
	 * processes, too; that of a dead leader shows nothing. */
	snprintf(path, sizeof(path), "../../../%u/pagemap", t->tid);
	fd = openat(t->dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (off_t)(address / page * sizeof(entry))) !=
			      (ssize_t)sizeof(entry))
		return false;
	return entry >> 63;
}

/* Reads what lies in the task's memory, not past the end of a page. Bytes read, or -errno. */
static ssize_t read_memory(const struct task *t, uint64_t address, void *to, size_t max)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), left = page - address % page;
	struct iovec local = { to, max < left ? max : left };
	struct iovec remote = { (void *)(uintptr_t)address, local.iov_len };
	ssize_t n;

	if (!is_resident(t, address))
		return -EAGAIN;
	n = process_vm_readv((pid_t)t->tid, &local, 1, &remote, 1, 0);
	return n < 0 ? -errno : n;
}

/* The string at an address. 0 or -errno. */
static int read_string(const struct task *t, uint64_t address, char text[static PATH_MAX])
{
	size_t len = 0;

	while (len < PATH_MAX) {
		ssize_t n = read_memory(t, address + len, text + len, PATH_MAX - len);

		if (n <= 0)
			return n < 0 ? (int)n : -EFAULT;
		if (memchr(text + len, '\0', (size_t)n))
			return 0;
		len += (size_t)n;
	}
	return -ENAMETOOLONG;
}

/* The numbers of "257 0xffffff9c 0x7ffc... ..."; how many. */
static size_t parse_numbers(struct span line, uint64_t *numbers, size_t max)
{
	struct span word;
	size_t n = 0;

	while (n < max && next_word(&line, &word) && parse_u64(word, &numbers[n]) == 0)
		n++;
	return n;
}

/* Whether the task is blocked in open(2) or a sister of it: 1 with *call, 0: in another call,
 * -EBUSY: it runs, or -errno. */
static int read_call(const struct task *t, struct call *call)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	uint64_t a[5]; /* number of the call, arguments */
	struct open_how how;
	int r = read_file_at(t->dir, "syscall", &text);

	if (r < 0)
		return r;
	if (parse_numbers(buf_span(&text), a, ARRAY_SIZE(a)) < ARRAY_SIZE(a))
		return -EBUSY; /* or blocked outside of a call, in a page fault */
	switch (a[0]) {
#ifdef SYS_open
	case SYS_open:
		*call = (struct call){ AT_FDCWD, a[1], a[2] };
		return 1;
#endif
#ifdef SYS_creat
	case SYS_creat:
		*call = (struct call){ AT_FDCWD, a[1], O_WRONLY };
		return 1;
#endif
	case SYS_openat:
		*call = (struct call){ (int)a[1], a[2], a[3] };
		return 1;
	case SYS_openat2:
		*call = (struct call){ (int)a[1], a[2], 0 };
		r = (int)read_memory(t, a[3], &how, sizeof(how));
		call->flags = how.flags;
		return r < 0 ? r : r == (int)sizeof(how) ? 1 : -EFAULT;
	default:
		return 0;
	}
}

/* Which file a path means to the task. 0 or -errno. */
static int look_up(const struct task *t, const struct call *call, const char *path, struct statx *stx)
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
	return lookup_cached(from, path, path[0] == '/', true, stx);
}

static int add(struct openers *o, const struct task *t, const struct call *call, const struct statx *stx)
{
	static const uint8_t accesses[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_READ | ACCESS_WRITE, 0 };
	struct stat st;

	if (vec_reserve(&o->items, o->count, sizeof(*o->items)) < 0)
		return -ENOMEM;
	o->items[o->count++] = (struct opener){
		.key = { OBJECT_FIFO, makedev(stx->stx_dev_major, stx->stx_dev_minor), stx->stx_ino },
		.pid = t->pid,
		.tid = t->tid,
		.uid = fstat(t->dir, &st) == 0 ? st.st_uid : 0,
		.access = accesses[call->flags & O_ACCMODE],
	};
	return 0;
}

/* A zombie refuses everybody, but waits for nothing. */
static bool is_dead(const struct task *t)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct process_stat stat;

	return read_file_at(t->dir, "stat", &text) == 0 && process_stat_parse(buf_span(&text), &stat) == 0 &&
	       (stat.state == 'Z' || stat.state == 'X');
}

/*
 * Whether the kernel function that the task sleeps in is that of open(2) of a FIFO: 1, 0, or
 * -EACCES: it does not say. The name is a hint only, but one that also knows of calls that
 * are not understood here: those of 32-bit programs, open_by_handle_at(2).
 */
static int sleeps_for_partner(const struct task *t)
{
	static const char *const names[] = { "wait_for_partner", "fifo_open" };
	_cleanup_(buf_free) struct buf text = { 0 };

	if (read_file_at(t->dir, "wchan", &text) < 0 || span_is(buf_span(&text), "0"))
		return -EACCES;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_starts(buf_span(&text), names[i]))
			return 1;
	return 0;
}

/* The file that a blocked task opens: 1 with *stx, 0: it is in another call, or -errno. */
static int ask_what(const struct task *t, struct call *call, struct statx *stx)
{
	char path[PATH_MAX];
	int r = read_call(t, call);

	if (r <= 0)
		return r;
	r = read_string(t, call->path, path);
	if (r == 0)
		r = look_up(t, call, path, stx);
	return r < 0 ? r : 1;
}

static int ask_task(struct openers *o, const struct task *t)
{
	struct statx stx;
	struct call call;
	int r = ask_what(t, &call, &stx), sleeps;

	if (r > 0)
		return S_ISFIFO(stx.stx_mode) ? add(o, t, &call, &stx) : 0;
	if (r == -EBUSY || r == -ENOMEM)
		return r == -ENOMEM ? r : 0;
	/* What could not be understood or looked up may still be the opener of some FIFO. */
	sleeps = sleeps_for_partner(t);
	if (sleeps > 0 || (sleeps < 0 && r < 0 && r != -ENOENT && r != -ESRCH && !is_dead(t)))
		o->complete = false;
	return 0;
}

static int ask_process(struct openers *o, int proc, uint32_t pid)
{
	_cleanup_(close_fd) int tasks = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[32];
	int64_t n;
	int r = 0;

	snprintf(path, sizeof(path), "%u/task", pid);
	tasks = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = tasks < 0 ? -errno : read_numbers(tasks, &tids);
	if (n < 0 && n != -ENOENT && n != -ESRCH)
		o->complete = false;
	for (int64_t i = 0; r == 0 && i < n; i++) {
		struct task t = { .pid = pid, .tid = tids[i] };

		snprintf(path, sizeof(path), "%u", tids[i]);
		t.dir = openat(tasks, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t.dir >= 0)
			r = ask_task(o, &t);
		close_fd(&t.dir);
	}
	return n == -ENOMEM ? -ENOMEM : r;
}

int openers_find(struct openers *o, const struct scan_context *context)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n;
	int r = 0;

	*o = (struct openers){ .looked = true };
	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!context->own_proc || !context->own_pids)
		return 0;
	dir = openat(context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = dir < 0 ? -errno : read_numbers(dir, &pids);
	o->complete = n >= 0;
	for (int64_t i = 0; r == 0 && i < n; i++)
		r = ask_process(o, context->proc, pids[i]);
	return n == -ENOMEM ? -ENOMEM : r;
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
	*o = (struct openers){ 0 };
}
