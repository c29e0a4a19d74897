/* SPDX-License-Identifier: MIT */
#include "kind/futex_change.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "kind/futex_ref.h"
#include "kind/futex_state.h"
#include "kind/shmfile.h"
#include "lib/file.h"

/* An object as the libc lays it out. */
union object {
	sem_t semaphore;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_rwlock_t rwlock;
	unsigned char bytes[64];
};

static int init_mutex(pthread_mutex_t *mutex, const struct create_args *args)
{
	pthread_mutexattr_t attr;
	int type = args->recursive  ? PTHREAD_MUTEX_RECURSIVE :
		   args->errorcheck ? PTHREAD_MUTEX_ERRORCHECK :
				      PTHREAD_MUTEX_NORMAL;
	int e = pthread_mutexattr_init(&attr);

	if (!e)
		e = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!e)
		e = pthread_mutexattr_settype(&attr, type);
	if (!e && args->robust)
		e = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!e && args->priority_inherit)
		e = pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	return e ? e : pthread_mutex_init(mutex, &attr);
}

static int init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int e = pthread_condattr_init(&attr);

	if (!e)
		e = pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	return e ? e : pthread_cond_init(cond, &attr);
}

static int init_rwlock(pthread_rwlock_t *rwlock)
{
	pthread_rwlockattr_t attr;
	int e = pthread_rwlockattr_init(&attr);

	if (!e)
		e = pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	return e ? e : pthread_rwlock_init(rwlock, &attr);
}

/* The libc lays it out; nothing of it depends on its address. 0 or an errno; *size: its bytes. */
static int lay_out(union object *o, size_t *size, size_t *alignment, const struct create_args *args)
{
	memset(o, 0, sizeof(*o)); /* padding included */
	if (strcmp(args->type, "mutex") == 0) {
		*size = sizeof(o->mutex);
		*alignment = _Alignof(pthread_mutex_t);
		return init_mutex(&o->mutex, args);
	}
	if (strcmp(args->type, "cond") == 0) {
		*size = sizeof(o->cond);
		*alignment = _Alignof(pthread_cond_t);
		return init_cond(&o->cond);
	}
	if (strcmp(args->type, "rwlock") == 0) {
		*size = sizeof(o->rwlock);
		*alignment = _Alignof(pthread_rwlock_t);
		return init_rwlock(&o->rwlock);
	}
	*size = sizeof(o->semaphore);
	*alignment = _Alignof(sem_t);
	return sem_init(&o->semaphore, 1, (unsigned)args->value.value) < 0 ? errno : 0;
}

static int check_options(const struct create_args *args, struct report *report)
{
	static const char *const types[] = { "sem", "mutex", "cond", "rwlock" };
	bool mutex = args->type && strcmp(args->type, "mutex") == 0, known = false;

	for (size_t i = 0; args->type && i < ARRAY_SIZE(types); i++)
		known |= strcmp(args->type, types[i]) == 0;
	if (!known)
		return report_usage(report, "--type must be sem, mutex, cond or rwlock");
	if ((args->robust || args->recursive || args->errorcheck || args->priority_inherit) && !mutex)
		return report_usage(report,
				    "--robust, --recursive, --errorcheck and --priority-inherit are of "
				    "a mutex");
	if (args->recursive && args->errorcheck)
		return report_usage(report, "--recursive and --errorcheck exclude each other");
	if (args->value.set && strcmp(args->type, "sem") != 0)
		return report_usage(report, "--value is of a semaphore");
	if (args->value.value > INT32_MAX)
		return report_usage(report, "--value must be 0 to %d", INT32_MAX);
	return 0;
}

/* Opens a regular file of /dev/shm for writing; *st: what it is. A descriptor or -errno. */
static int open_file(const struct shmtree *t, struct span path, struct stat *st, struct report *report)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	const char *leaf;
	_cleanup_(close_fd) int parent = shmtree_open_parent(t, path, &leaf);
	struct stat seen;
	int fd;

	if (parent < 0)
		return parent;
	if (fstatat(parent, leaf, &seen, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	if (!S_ISREG(seen.st_mode)) {
		report_text(report, "it is no regular file");
		return -EINVAL;
	}
	fd = openat(parent, leaf, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) == 0 && st->st_dev == seen.st_dev && st->st_ino == seen.st_ino)
		return fd;
	close_fd(&fd);
	return -ESTALE;
}

/*
 * Puts bytes into the file as those who have it mapped would, never behind its end: write(2)
 * would lengthen a file that is shortened just now, a store would end in SIGBUS. read(2) into the
 * mapping fails with EFAULT instead. 0 or -errno.
 */
static int store(int fd, uint64_t offset, const void *bytes, size_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), start = offset - offset % page;
	size_t length = (size_t)(offset - start) + size;
	_cleanup_(close_fd) int out = -1;
	_cleanup_(close_fd) int in = -1;
	char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);
	int ends[2], r = 0;
	ssize_t n;

	if (map == MAP_FAILED)
		return -errno;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		r = -errno;
	} else {
		out = ends[0];
		in = ends[1];
		n = write(in, bytes, size);
		if (n == (ssize_t)size)
			n = read(out, map + (offset - start), size);
		r = n < 0 ? -errno : n == (ssize_t)size ? 0 : -EFAULT;
	}
	munmap(map, length);
	return r;
}

/* Whether the object may lie there. 0 or -errno. */
static int check_place(int fd, uint64_t offset, size_t size, size_t alignment, const struct stat *st,
		       bool force, struct report *report)
{
	_cleanup_(buf_free) struct buf there = { 0 };
	int r;

	if (offset % alignment != 0)
		return report_usage(report, "it must lie at a multiple of %zu", alignment);
	if ((uint64_t)st->st_size < size || offset > (uint64_t)st->st_size - size) {
		report_text(report, "it takes %zu bytes, and the segment ends at %llu", size,
			    (unsigned long long)st->st_size);
		return -EINVAL;
	}
	r = force ? 0 : pread_into(fd, offset, size, &there);
	for (size_t i = 0; r == 0 && i < there.len; i++)
		if (there.data[i]) {
			report_text(report, "the place is not all zeroes; --force overwrites it");
			return -EEXIST;
		}
	return r;
}

/* The file that "posix-shm:/name" means, and the offset. 0 or -EINVAL. */
static int parse_name(const struct create_args *args, struct span *name, uint64_t *offset,
		      struct report *report)
{
	const struct span prefix = SPAN("posix-shm:");
	struct span object;

	if (futex_split(span_of(args->name), &object, offset) < 0 || !span_starts(object, prefix.ptr))
		return report_usage(report, "expected a segment and an offset, such as posix-shm:/name+64");
	object = arena_span(&report->arena, span_from(object, prefix.len));
	if (!object.ptr)
		return -ENOMEM;
	return shmfile_name(object, true, name, report);
}

int futex_create(const struct create_args *args, struct report *report)
{
	struct shmtree tree = { .root = -1 };
	_cleanup_(close_fd) int fd = -1;
	size_t size = 0, alignment = 1;
	struct span name = { 0 };
	union object object;
	uint64_t offset = 0;
	struct stat st = { 0 };
	int r = check_options(args, report);

	if (r == 0)
		r = parse_name(args, &name, &offset, report);
	if (r == 0)
		r = -lay_out(&object, &size, &alignment, args);
	if (r == 0)
		r = shmtree_open(&tree);
	if (r == 0) {
		fd = open_file(&tree, name, &st, report);
		r = fd < 0 ? fd : check_place(fd, offset, size, alignment, &st, args->force, report);
	}
	if (r == 0)
		r = store(fd, offset, object.bytes, size);
	shmtree_free(&tree);
	return r < 0 ? r :
		       report_ref(report, "futex:posix-shm:/%.*s+%llu", (int)name.len, name.ptr,
				  (unsigned long long)offset);
}

/* Why it may not be cleared now: 0 if it may. */
static int refuse(struct snapshot *s, const struct futex *futex, struct report *report)
{
	const struct futex_decoded *d = &futex->decoded;
	int unknown = futex_waiters_unknown(s, futex);
	const struct futex_owner *owner = &futex->owner;

	if (futex->nwaiters > 0)
		report_text(report, "%zu task%s wait%s for it", futex->nwaiters, plural(futex->nwaiters),
			    futex->nwaiters == 1 ? "s" : "");
	else if (owner->state == OWNER_ALIVE)
		report_text(report, "process %u has it locked", owner->pid);
	else if (owner->state == OWNER_UNKNOWN)
		report_text(report, "it is locked, and whether its owner is alive cannot be told");
	else if (d->readers > 0)
		report_text(report, "%u reader%s it locked", d->readers, d->readers == 1 ? " has" : "s have");
	else if (d->locked && owner->state == OWNER_NONE)
		report_text(report, "it is locked, and does not say by whom");
	else if (!s->futexes.complete || !s->futexes.lists_complete)
		report_text(report, "not every task could be asked whether it waits for it");
	else if (unknown == WHY_NOT_UNDERSTOOD)
		report_text(report,
			    "a process that has it mapped waits for something that cannot be understood");
	else
		return 0;
	return -EBUSY;
}

/* Whether somebody waits for or holds another word among the bytes of an object, which may have
 * been taken for what it is not. */
static bool covers_another(const struct futexes *f, const struct futex *futex)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct futex *x = &f->items[i];

		if (x != futex && memory_object_same(&x->object, &futex->object) &&
		    x->offset < futex->offset + futex->decoded.size &&
		    futex->offset < x->offset + x->decoded.size && (x->nwaiters > 0 || x->holder_pid))
			return true;
	}
	return false;
}

/* Looks once more, with nothing but this one in view, and clears it if nobody needs it. */
static int clear(struct snapshot *now, const struct futex *seen, int fd, struct report *report)
{
	static const unsigned char zeroes[sizeof(union object)];
	int64_t i = futexes_in(now, &seen->object, seen->offset, fd);
	const struct futex *futex;
	int r;

	if (i < 0)
		return i == -ENOENT || i == -EFAULT ? -ESTALE : (int)i;
	futex = &now->futexes.items[i];
	if (futex->offset != seen->offset || futex->decoded.type != seen->decoded.type)
		return -ESTALE;
	r = refuse(now, futex, report);
	if (r == 0 && covers_another(&now->futexes, futex)) {
		report_text(report, "another futex among its bytes is in use");
		r = -EBUSY;
	}
	return r < 0 ? r : store(fd, futex->offset, zeroes, futex->decoded.size);
}

static int check_removable(const struct snapshot *s, const struct futex *futex, struct report *report)
{
	const struct shm_entry *e;

	if (futex->object.key.class != OBJECT_FILE || futex->entry < 0) {
		report_text(report, "only what lies in a file of /dev/shm can be cleared");
		return -ENOTSUP;
	}
	e = &s->shm.items[futex->entry];
	if (e->deleted || shm_entry_reads_as_semaphore(e)) {
		report_text(report, e->deleted ? "its segment has no name any more" :
						 "it is a named semaphore: remove that");
		return -ENOTSUP;
	}
	if (futex->decoded.type == FUTEX_UNKNOWN) {
		report_text(report, "what it is, and how long, is not known");
		return -ENOTSUP;
	}
	return 0;
}

int futex_remove(struct snapshot *s, size_t i, struct report *report)
{
	const struct futex *futex = &s->futexes.items[i];
	struct scan_request request = { .sources = SOURCE_FUTEX | SOURCE_ROBUST | SOURCE_SHMTREE };
	struct warnings warnings = { 0 };
	struct snapshot now = { 0 };
	_cleanup_(close_fd) int fd = -1;
	const struct shm_entry *e;
	struct stat st = { 0 };
	int r = check_removable(s, futex, report);

	if (r == 0)
		r = refuse(s, futex, report);
	if (r < 0)
		return r;
	e = &s->shm.items[futex->entry];
	fd = open_file(&s->shm, e->path, &st, report);
	if (fd < 0)
		return fd;
	if (st.st_dev != e->dev || st.st_ino != e->ino)
		return -ESTALE;
	if (name_list_add(&request.shm_names, e->path) < 0)
		return -ENOMEM;
	r = snapshot_take(&now, s->context, &request, &warnings);
	if (r == 0)
		r = clear(&now, futex, fd, report);
	snapshot_free(&now);
	warnings_free(&warnings);
	scan_request_free(&request);
	return r;
}
