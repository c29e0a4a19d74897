/* SPDX-License-Identifier: MIT */
#include "scan/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"

#define KCMP_FILES 2 /* linux/kcmp.h */

/* Whether two tasks share their table of descriptors. Without kcmp(2), or for the
 * numbers of another /proc: looked at each, and perhaps seen twice. */
static bool share_descriptors(const struct walker *w, uint32_t a, uint32_t b)
{
	return w->request->own_proc && syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0) == 0;
}

/*
 * Threads with tables of descriptors of their own are looked at themselves. If the
 * leader has exited, /proc/PID shows nothing: then the first thread stands in for it.
 */
static void visit_threads(struct visit *v, int dir)
{
	_cleanup_(close_fd) int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	int64_t n = tasks < 0 ? -errno : read_numbers(tasks, &tids);
	uint32_t leader = v->stat.state == 'Z' ? 0 : v->pid;
	char path[32];

	visit_failed(v, n < 0 ? (int)n : 0);
	for (int64_t i = 0; i < n; i++) {
		bool stands_in = leader == 0;

		if (tids[i] == v->pid)
			continue;
		v->tid = tids[i];
		if (v->w->request->descriptors && (stands_in || !share_descriptors(v->w, leader, tids[i]))) {
			snprintf(path, sizeof(path), "%u/fd", tids[i]);
			visit_descriptors(v, tasks, path);
		}
		/* Threads of one process share their memory: one look is enough. */
		if (v->w->request->mappings && stands_in) {
			snprintf(path, sizeof(path), "%u/maps", tids[i]);
			visit_mappings(v, tasks, path);
		}
		leader = stands_in ? tids[i] : leader;
	}
	v->tid = 0;
}

static int read_stat(struct visit *v, int dir, struct buf *text)
{
	struct stat st;
	int r = read_file_at(dir, "stat", text);

	if (r == 0)
		r = process_stat_parse(buf_span(text), &v->stat);
	if (r < 0)
		return r;
	/* /proc/PID itself always belongs to the effective user (task_dump_owner() in
	 * fs/proc/base.c makes an exception of its very mode). */
	if (fstat(dir, &st) < 0)
		return -errno;
	v->uid = st.st_uid;
	return 0;
}

/* A process without memory has ended or is just ending, or is a thread of the
 * kernel: it belongs to root and refuses all others, but holds nothing. */
static bool is_empty(int dir)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	int r = read_file_at(dir, "statm", &text);

	return r == -ENOENT || r == -ESRCH || (r == 0 && span_starts(buf_span(&text), "0 "));
}

void walk_process(struct walker *w, uint32_t pid)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(buf_free) struct buf stat = { 0 };
	struct visit v = { .w = w, .pid = pid, .holder = NO_HOLDING };
	char name[12];
	int r;

	snprintf(name, sizeof(name), "%u", pid);
	dir = openat(w->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : read_stat(&v, dir, &stat);
	if (r < 0) {
		visit_failed(&v, r);
		w->unreadable += v.refused;
		return;
	}
	w->threads += v.stat.threads;
	/* A leader that has exited shows nothing, nor lets everybody look. */
	if (w->request->descriptors && v.stat.state != 'Z')
		visit_descriptors(&v, dir, "fd");
	if (w->request->mappings && v.stat.state != 'Z')
		visit_mappings(&v, dir, "maps");
	if (v.stat.threads > 1)
		visit_threads(&v, dir);
	if (v.refused && (v.stat.threads > 1 || !is_empty(dir)))
		w->unreadable++;
}

void walker_free(struct walker *w)
{
	free(w->items);
	free(w->holdings);
	free(w->nameless);
	arena_free(&w->arena);
}
