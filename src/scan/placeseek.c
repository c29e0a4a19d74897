/* SPDX-License-Identifier: MIT */
#include "scan/placeseek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/mountinfo.h"
#include "scan/process.h"
#include "scan/proclink.h"

#define KCMP_FILES 2 /* linux/kcmp.h */

static int compare_members(const void *pa, const void *pb)
{
	const struct membership *a = pa, *b = pb;

	return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid) :
				  (a->tid > b->tid) - (a->tid < b->tid);
}

static bool same_namespaces(const struct membership *a, const struct membership *b)
{
	return memcmp(a->ino, b->ino, sizeof(a->ino)) == 0;
}

int read_membership(int dir, const char *task, struct membership *m)
{
	for (size_t i = 0; i < PLACE_PARTS; i++) {
		char path[48];

		snprintf(path, sizeof(path), "%s/ns/%s", task, place_part_names[i]);
		errno = 0;
		m->ino[i] = namespace_number(dir, path);
		if (m->ino[i] == 0 && errno != 0)
			return -errno;
	}
	return 0;
}

static int add_member(struct seeker *s, const struct membership *m)
{
	if (vec_reserve(&s->members, s->nmembers, sizeof(*s->members)) < 0)
		return -ENOMEM;
	s->members[s->nmembers++] = *m;
	return 0;
}

/* All tasks of a process that are elsewhere than those before. 0 or -ENOMEM. */
static int seek_tasks(struct seeker *s, int proc, uint32_t pid)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	struct membership last = { 0 };
	char path[32];
	int64_t n;
	int r = 0, refused;

	snprintf(path, sizeof(path), "%u/task", pid);
	dir = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(dir, &tids);
	refused = n < 0 && n != -ENOENT && n != -ESRCH;
	for (int64_t i = 0; r == 0 && i < n; i++) {
		struct membership m = { .pid = pid, .tid = tids[i] };
		int e;

		snprintf(path, sizeof(path), "%u", tids[i]);
		e = read_membership(dir, path, &m);
		/* One without namespaces has ended. */
		refused |= e == -EACCES || e == -EPERM;
		if (e < 0 || (last.pid && same_namespaces(&last, &m)))
			continue;
		r = add_member(s, &m);
		last = m;
	}
	s->unreadable += refused;
	return n == -ENOMEM ? -ENOMEM : r;
}

/* The sort and number in the text of a link: "ipc:[4026532177]"; false: it is no namespace that matters. */
static bool parse_link(struct span text, enum place_part *part, uint64_t *ino)
{
	for (size_t i = 0; i < PLACE_PARTS; i++) {
		size_t n = strlen(place_part_names[i]);

		if (span_starts(text, place_part_names[i]) && text.len > n + 3 && text.ptr[n] == ':' &&
		    text.ptr[n + 1] == '[' && text.ptr[text.len - 1] == ']' &&
		    parse_u64((struct span){ text.ptr + n + 2, text.len - n - 3 }, ino) == 0) {
			*part = (enum place_part)i;
			return true;
		}
	}
	return false;
}

int add_keeper(struct seeker *s, const struct keeper *k)
{
	if (vec_reserve(&s->keepers, s->nkeepers, sizeof(*s->keepers)) < 0)
		return -ENOMEM;
	s->keepers[s->nkeepers++] = *k;
	return 0;
}

/* Those that a task has open. 0 or -ENOMEM. */
static int seek_table(struct seeker *s, int tasks, uint32_t pid, uint32_t tid)
{
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(dir_reader_free) struct dir_reader reader = { 0 };
	const char *name;
	char text[64];
	int r = 0;

	snprintf(text, sizeof(text), "%u/fd", tid);
	dir = openat(tasks, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reader.fd = dir;
	while (dir >= 0 && r == 0 && dir_reader_next(&reader, &name) > 0) {
		struct keeper k = { .door = { .pid = pid, .tid = tid } };
		ssize_t n = readlinkat(dir, name, text, sizeof(text));
		uint64_t fd;

		if (n <= 0 || text[n - 1] != ']' ||
		    !parse_link((struct span){ text, (size_t)n }, &k.part, &k.ino) ||
		    parse_u64_in(span_of(name), 0, INT32_MAX, &fd) < 0)
			continue;
		k.door.fd = (int)fd;
		r = add_keeper(s, &k);
	}
	return r;
}

/* How many descriptors a task has; 0: not told (before Linux 6.2). */
static uint64_t count_descriptors(int tasks, uint32_t tid)
{
	struct stat st;
	char path[24];

	snprintf(path, sizeof(path), "%u/fd", tid);
	return fstatat(tasks, path, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/* Whether two tasks share their table of descriptors, or seem to. */
static bool shares_table(const struct seeker *s, int tasks, uint32_t a, uint32_t b)
{
	long r = s->own_pids ? syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0) : -1;

	return r >= 0 ? r == 0 : count_descriptors(tasks, a) == count_descriptors(tasks, b);
}

/* Those that a process has open, in any of its tables. 0 or -ENOMEM. */
static int seek_descriptors(struct seeker *s, int proc, uint32_t pid)
{
	_cleanup_(close_fd) int tasks = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	uint32_t last = pid;
	char path[32];
	int64_t n;
	int r;

	snprintf(path, sizeof(path), "%u/task", pid);
	tasks = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tasks < 0)
		return 0;
	r = seek_table(s, tasks, pid, pid);
	n = r == 0 ? read_numbers(tasks, &tids) : 0;
	for (int64_t i = 0; r == 0 && i < n; i++) {
		if (tids[i] == pid || shares_table(s, tasks, pid, tids[i]) ||
		    (last != pid && shares_table(s, tasks, last, tids[i])))
			continue;
		r = seek_table(s, tasks, pid, tids[i]);
		last = tids[i];
	}
	return n == -ENOMEM ? -ENOMEM : r;
}

/* Those that are mounted in the sight of a process. 0 or -ENOMEM. */
static int seek_mounts(struct seeker *s, int proc, uint32_t pid, uint32_t tid)
{
	_cleanup_(line_reader_free) struct line_reader reader = { 0 };
	_cleanup_(close_fd) int fd = -1;
	struct mount_line mount;
	struct span line;
	char path[48];
	int r = 0;

	snprintf(path, sizeof(path), "%u/task/%u/mountinfo", pid, tid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	reader.fd = fd;
	while (fd >= 0 && r == 0 && line_reader_next(&reader, &line) > 0) {
		struct keeper k = { .door = { .pid = pid, .tid = tid, .fd = -1 } };
		_cleanup_(buf_free) struct buf target = { 0 };

		if (mountinfo_parse(line, &mount) < 0 || !span_is(mount.fstype, "nsfs") ||
		    !parse_link(mount.root, &k.part, &k.ino))
			continue;
		mountinfo_unescape(mount.target, &target);
		k.door.path = arena_span(&s->arena, buf_span(&target));
		r = target.failed || !k.door.path.ptr ? -ENOMEM : add_keeper(s, &k);
	}
	return r;
}

/* One pass over all processes. */
struct round {
	struct seeking *seeking;
	int (*ask)(struct seeker *s, int proc, uint32_t pid);
	struct seeker seekers[MOST_THREADS];
};

static void seek(void *context, unsigned thread, size_t i)
{
	struct round *round = context;
	struct seeker *s = &round->seekers[thread];

	if (s->error == 0)
		s->error = round->ask(s, round->seeking->context->proc, round->seeking->pids[i]);
}

static int compare_keepers(const void *pa, const void *pb)
{
	const struct keeper *a = pa, *b = pb;

	return a->door.pid != b->door.pid ? (a->door.pid > b->door.pid) - (a->door.pid < b->door.pid) :
					    (a->door.fd > b->door.fd) - (a->door.fd < b->door.fd);
}

/* Takes over what one thread has found. 0 or -ENOMEM. */
static int take_over(struct seeker *all, struct seeker *s)
{
	int r = s->error;

	for (size_t i = 0; r == 0 && i < s->nmembers; i++)
		r = add_member(all, &s->members[i]);
	for (size_t i = 0; r == 0 && i < s->nkeepers; i++)
		r = add_keeper(all, &s->keepers[i]);
	all->unreadable += s->unreadable;
	free(s->members);
	free(s->keepers);
	return r;
}

/* Asks all processes, and puts together what the threads found, in the order of pids. 0 or -ENOMEM. */
static int ask_all(struct seeking *seeking, int (*ask)(struct seeker *s, int proc, uint32_t pid))
{
	struct round *round = calloc(1, sizeof(*round));
	struct seeker *all = &seeking->all;
	int r = 0;

	if (!round)
		return -ENOMEM;
	round->seeking = seeking;
	round->ask = ask;
	for (size_t t = 0; t < MOST_THREADS; t++)
		round->seekers[t].own_pids = seeking->context->own_pids;
	parallel_run(&(struct parallel_work){ seek, round, seeking->npids }, processor_count());
	for (size_t t = 0; t < MOST_THREADS; t++) {
		int e = take_over(all, &round->seekers[t]);

		r = r < 0 ? r : e;
	}
	free(round);
	if (all->nmembers > 0)
		qsort(all->members, all->nmembers, sizeof(*all->members), compare_members);
	if (all->nkeepers > 0)
		qsort(all->keepers, all->nkeepers, sizeof(*all->keepers), compare_keepers);
	return r;
}

int seek_members(struct seeking *seeking, const struct scan_context *context)
{
	_cleanup_(close_fd) int dir = openat(context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t n;

	*seeking = (struct seeking){ .context = context };
	n = read_numbers(dir, &seeking->pids);
	if (n == -ENOMEM)
		return -ENOMEM;
	seeking->all.unreadable += n < 0; /* how many there are is not known */
	seeking->npids = n > 0 ? (size_t)n : 0;
	return ask_all(seeking, seek_tasks);
}

int seek_keepers(struct seeking *seeking)
{
	struct hash seen = { 0 };
	int r = seeking->kept ? 0 : ask_all(seeking, seek_descriptors);

	for (size_t i = 0; !seeking->kept && r == 0 && i < seeking->all.nmembers; i++) {
		const struct membership *m = &seeking->all.members[i];

		if (hash_find(&seen, m->ino[PLACE_SHM], NULL))
			continue;
		r = hash_add(&seen, m->ino[PLACE_SHM], 0);
		if (r == 0)
			r = seek_mounts(&seeking->all, seeking->context->proc, m->pid, m->tid);
	}
	hash_free(&seen);
	seeking->kept = true;
	return r;
}

void seeking_free(struct seeking *seeking)
{
	free(seeking->all.members);
	free(seeking->all.keepers);
	arena_free(&seeking->all.arena);
	free(seeking->pids);
}
