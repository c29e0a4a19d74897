/* SPDX-License-Identifier: MIT */
#include "scan/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "lib/vec.h"

#define KCMP_FILES 2 /* linux/kcmp.h */

/* Classes whose objects are held by mappings. */
#define WALK_MAPPINGS                                                                                        \
	(1 << OBJECT_SYSV | 1 << OBJECT_MEMFD | 1 << OBJECT_FILE_MAPPING | 1 << OBJECT_ANON_MAPPING)

static bool wants_mappings(const struct walker *w)
{
	return w->request->classes & WALK_MAPPINGS ||
	       (w->request->classes & 1 << OBJECT_FILE && w->request->mapped_files);
}

/* How many descriptors a thread has; 0: not told (before Linux 6.2). */
static uint64_t count_descriptors(int tasks, uint32_t tid)
{
	struct stat st;
	char path[24];

	snprintf(path, sizeof(path), "%u/fd", tid);
	return fstatat(tasks, path, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/*
 * Whether two tasks share their table of descriptors, as far as its length tells. Where
 * kcmp(2) is refused, as in many containers, that must do: that none is counted twice matters
 * more than that few threads have tables of their own.
 */
static bool equally_long(int tasks, uint32_t a, uint32_t b)
{
	const int tries = 3; /* a descriptor may come or go in between */
	bool same = false;

	for (int i = 0; i < tries && !same; i++)
		same = count_descriptors(tasks, a) == count_descriptors(tasks, b);
	return same;
}

/* Tables of descriptors that were looked at: each by a task that has it, in the order that
 * kcmp(2) puts them into. */
struct tables {
	uint32_t *tids;
	size_t count;
};

/* Where in the order the thread's table belongs, in *place. 0: it is there already, 1: it is
 * not, -1: that cannot be told. A process may have a thousand. */
static int find_table(const struct visit *v, const struct tables *t, uint32_t tid, size_t *place)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		long r = v->w->request->own_proc ? syscall(SYS_kcmp, t->tids[middle], tid, KCMP_FILES, 0, 0) :
						   -1;

		if (r == 0)
			return 0;
		if (r != 1 && r != 2)
			return -1;
		if (r == 1) /* the middle one comes before it */
			low = middle + 1;
		else
			high = middle;
	}
	*place = low;
	return 1;
}

/* Whether the thread's table is one that was not looked at yet; then it is noted. */
static bool is_new_table(struct visit *v, struct tables *t, int tasks, uint32_t tid)
{
	const size_t most_compared = 64;
	size_t place = t->count;
	int r = find_table(v, t, tid, &place);

	for (size_t i = 0; r < 0 && i < t->count && i < most_compared; i++)
		if (equally_long(tasks, t->tids[i], tid))
			r = 0;
	if (r == 0)
		return false;
	if (vec_reserve(&t->tids, t->count, sizeof(*t->tids)) < 0) {
		v->w->error = -ENOMEM;
		return false;
	}
	memmove(t->tids + place + 1, t->tids + place, (t->count - place) * sizeof(*t->tids));
	t->tids[place] = tid;
	t->count++;
	return true;
}

/* Whether a task has no memory: it has ended or is just ending, or is a thread of the kernel. */
static bool is_bare(int dir, const char *path)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	int r = read_file_at(dir, path, &text);

	return r == -ENOENT || r == -ESRCH || (r == 0 && span_starts(buf_span(&text), "0 "));
}

/* One thread's own table of descriptors. A thread that is just ending (one of our own, perhaps, that was
 * waited for) belongs to root and refuses all others, but has none any more. */
static void visit_thread(struct visit *v, int tasks, const char *table)
{
	bool refused = v->refused;
	char path[24];

	visit_descriptors(v, table);
	snprintf(path, sizeof(path), "%u/statm", v->tid);
	if (v->refused && !refused && is_bare(tasks, path))
		v->refused = false;
}

/*
 * Threads with tables of descriptors of their own are looked at themselves. If the
 * leader has exited, /proc/PID shows nothing: then the first thread stands in for it.
 */
static void visit_threads(struct visit *v)
{
	_cleanup_(close_fd) int tasks = openat(v->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	int64_t n = read_numbers(tasks, &tids);
	const unsigned descriptors = v->w->request->classes & WALK_DESCRIPTORS;
	bool leads = v->stat.state != 'Z', memory = leads;
	struct tables tables = { 0 };
	char table[32];

	visit_failed(v, n < 0 ? (int)n : 0);
	if (leads)
		is_new_table(v, &tables, tasks, v->holder->pid);
	for (int64_t i = 0; i < n; i++) {
		if (tids[i] == v->holder->pid)
			continue;
		v->tid = tids[i];
		snprintf(table, sizeof(table), "task/%u", tids[i]);
		if (descriptors && is_new_table(v, &tables, tasks, tids[i]))
			visit_thread(v, tasks, table);
		/* Threads of one process share their memory: one look is enough. */
		if (wants_mappings(v->w) && !memory)
			visit_mappings(v, table);
		memory = true;
	}
	v->tid = 0;
	free(tables.tids);
}

static int read_stat(struct visit *v, char text[static STAT_MOST])
{
	struct holder *h = v->holder;
	struct stat st;
	int r = process_stat_read(v->dir, "stat", text, &v->stat);

	if (r < 0)
		return r;
	/* The number was that of a process when /proc was listed; by now a thread may have it, one of our own
	 * perhaps, and /proc shows that under the same name as well. It is looked at with its process. */
	if (v->stat.is_thread)
		return -ESRCH;
	/* /proc/PID itself always belongs to the effective user (task_dump_owner() in
	 * fs/proc/base.c makes an exception of its very mode). */
	if (fstat(v->dir, &st) < 0)
		return -errno;
	h->uid = st.st_uid;
	h->threads = v->stat.threads;
	h->start_ticks = v->stat.start_ticks;
	h->start = process_start(v->stat.start_ticks, v->w->boot);
	h->session = v->stat.session;
	h->terminal = v->stat.terminal;
	h->foreground = v->stat.foreground;
	return 0;
}

/* A process without memory belongs to root and refuses all others, but holds nothing. Its
 * leader may have ended before its threads: then each of them is asked. */
static bool is_empty(const struct visit *v)
{
	_cleanup_(close_fd) int tasks = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	bool bare = is_bare(v->dir, "statm");
	char path[24];
	int64_t n;

	if (!bare || v->stat.threads <= 1)
		return bare;
	tasks = openat(v->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(tasks, &tids);
	for (int64_t i = 0; bare && i < n; i++) {
		snprintf(path, sizeof(path), "%u/statm", tids[i]);
		bare = is_bare(tasks, path);
	}
	return bare && n >= 0;
}

void walk_process(struct walker *w, struct holder *holder, uint32_t index)
{
	char stat[STAT_MOST]; /* the command in v.stat points there */
	struct visit v = { .w = w, .holder = holder, .index = index, .dir = -1 };
	char name[12];
	int r;

	snprintf(name, sizeof(name), "%u", holder->pid);
	v.dir = openat(w->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = v.dir < 0 ? -errno : read_stat(&v, stat);
	if (r < 0) {
		visit_failed(&v, r);
		w->unreadable += v.refused;
		close_fd(&v.dir);
		return;
	}
	w->threads += v.stat.threads;
	/* A leader that has exited shows nothing, nor lets everybody look. */
	if (w->request->classes & WALK_DESCRIPTORS && v.stat.state != 'Z')
		visit_descriptors(&v, ".");
	if (wants_mappings(w) && v.stat.state != 'Z')
		visit_mappings(&v, ".");
	if (v.stat.threads > 1)
		visit_threads(&v);
	if (v.refused && !is_empty(&v))
		w->unreadable++;
	visit_free(&v);
	close_fd(&v.dir);
}

void walker_free(struct walker *w)
{
	free(w->holdings);
	free(w->ranges);
	free(w->files);
	lock_set_free(&w->locks);
	lookup_place_free(&w->place);
	hash_free(&w->file_index);
	buf_free(&w->text);
	free(w->entries);
	arena_free(&w->arena);
}
