/* SPDX-License-Identifier: MIT */
#include "scan/mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/mqueuemount.h"

/* Room for one more entry, or NULL. */
static struct mqueue_entry *next_entry(struct mqueue *q)
{
	return vec_reserve(&q->items, q->count, sizeof(*q->items)) < 0 ? NULL : &q->items[q->count];
}

int mqueue_add_nameless(struct mqueue *q, const struct found_file *n)
{
	struct span name = span_starts(n->path, "/") ? span_from(n->path, 1) : n->path;
	struct mqueue_entry *e;

	name = arena_span(&q->arena, name);
	e = next_entry(q);
	if (!e || !name.ptr)
		return -ENOMEM;
	*e = (struct mqueue_entry){
		.name = name,
		.dev = n->key.dev,
		.ino = n->key.ino,
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
		.atime = n->atime,
		.mtime = n->mtime,
		.ctime = n->ctime,
		.deleted = true,
	};
	q->count++;
	return 0;
}

static int add_entry(struct mqueue *q, const char *name)
{
	struct mqueue_entry *e = next_entry(q);
	struct stat st;

	if (!e)
		return -ENOMEM;
	if (fstatat(q->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENAMETOOLONG ? 0 : -errno;
	*e = (struct mqueue_entry){
		.name = arena_span(&q->arena, span_of(name)),
		.dev = st.st_dev,
		.ino = st.st_ino,
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.atime = st.st_atim.tv_sec,
		.mtime = st.st_mtim.tv_sec,
		.ctime = st.st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)st.st_ctim.tv_nsec,
	};
	if (!e->name.ptr)
		return -ENOMEM;
	q->count++;
	return 0;
}

static int read_all(struct mqueue *q)
{
	_cleanup_(close_fd) int copy = openat(q->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(dir_reader_free) struct dir_reader reader = { .fd = copy };
	const char *name;
	int r;

	while ((r = dir_reader_next(&reader, &name)) > 0) {
		r = add_entry(q, name);
		if (r < 0)
			return r;
	}
	return r;
}

static int read_names(struct mqueue *q, const struct name_list *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct span s = names->items[i];
		char name[NAME_MAX + 1];
		int r;

		if (s.len == 0 || s.len > NAME_MAX || memchr(s.ptr, '/', s.len) ||
		    memchr(s.ptr, '\0', s.len) || span_is(s, ".") || span_is(s, ".."))
			continue;
		memcpy(name, s.ptr, s.len);
		name[s.len] = '\0';
		r = add_entry(q, name);
		if (r < 0)
			return r;
	}
	return 0;
}

int mqueue_adopt(struct mqueue *q, int root, const struct name_list *names)
{
	struct stat st;

	*q = (struct mqueue){ .root = root };
	if (fstat(root, &st) < 0)
		return -errno;
	q->dev = st.st_dev;
	return names->count > 0 ? read_names(q, names) : read_all(q);
}

int mqueue_read(struct mqueue *q, int proc, const struct name_list *names)
{
	int detached = mqueue_open_detached(), r;
	bool uncertain;

	*q = (struct mqueue){ .root = detached };
	if (detached < 0) {
		/* ENODEV: no such file system. No right, or an old kernel: a mount may do. */
		if (detached == -ENODEV)
			return -ENOSYS;
		q->root = mqueue_open_mounted(proc, &q->uncertain);
	}
	if (q->root < 0)
		return q->root == -ENOENT ? detached : q->root;
	uncertain = q->uncertain;
	r = mqueue_adopt(q, q->root, names);
	q->uncertain = uncertain;
	return r;
}

void mqueue_free(struct mqueue *q)
{
	close_fd(&q->root);
	free(q->items);
	arena_free(&q->arena);
	name_index_free(&q->by_name);
	*q = (struct mqueue){ .root = -1 };
}

static struct span name_at(const void *items, size_t i)
{
	const struct mqueue_entry *e = (const struct mqueue_entry *)items + i;

	/* A deleted one has no name that could be found. */
	return !e->deleted ? e->name : (struct span){ 0 };
}

int64_t mqueue_find(struct mqueue *q, struct span name)
{
	return name_index_find(&q->by_name, q->items, q->count, name_at, name);
}

static int compare_identity(const struct stat *st, const struct mqueue_entry *e)
{
	return st->st_dev == e->dev && st->st_ino == e->ino ? 0 : -ESTALE;
}

int mqueue_check(const struct mqueue *q, const struct mqueue_entry *e)
{
	struct stat st;

	if (fstatat(q->root, e->name.ptr, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return compare_identity(&st, e);
}

int mqueue_unlink(const struct mqueue *q, const struct mqueue_entry *e)
{
	int r = mqueue_check(q, e);

	if (r < 0)
		return r;
	/* Through the directory it was found in, so that it is of the same namespace. */
	if (unlinkat(q->root, e->name.ptr, 0) == 0)
		return 0;
	r = -errno;
	/* A mount may be read-only; the call by name is not bound to it. */
	if (r == -EROFS && !q->uncertain)
		r = syscall(SYS_mq_unlink, e->name.ptr) < 0 ? -errno : 0;
	return r;
}

int mqueue_open(const struct mqueue *q, const struct mqueue_entry *e)
{
	int fd = openat(q->root, e->name.ptr, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : compare_identity(&st, e);
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	return fd;
}

int mqueue_get_attr(int fd, struct mqueue_attr *attr)
{
	struct mq_attr a;

	if (syscall(SYS_mq_getsetattr, fd, NULL, &a) < 0)
		return -errno;
	*attr = (struct mqueue_attr){ (uint64_t)a.mq_maxmsg, (uint64_t)a.mq_msgsize, (uint64_t)a.mq_curmsgs };
	return 0;
}

/* The number behind a label such as "QSIZE:", padded on its right. */
static int labelled(struct span *rest, const char *label, uint64_t *out)
{
	struct span word;

	if (!next_word(rest, &word) || !span_starts(word, label))
		return -EINVAL;
	return parse_u64(span_from(word, strlen(label)), out);
}

int mqueue_status_parse(struct span line, struct mqueue_status *status)
{
	uint64_t bytes, method, signal, pid;

	if (line.len > 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	if (labelled(&line, "QSIZE:", &bytes) < 0 || labelled(&line, "NOTIFY:", &method) < 0 ||
	    labelled(&line, "SIGNO:", &signal) < 0 || labelled(&line, "NOTIFY_PID:", &pid) < 0 ||
	    pid > INT32_MAX || signal > INT32_MAX || method > INT32_MAX)
		return -EINVAL;
	*status = (struct mqueue_status){ bytes, (uint32_t)pid, (uint32_t)signal, (int)method };
	return 0;
}

int mqueue_get_status(int fd, struct mqueue_status *status)
{
	_cleanup_(buf_free) struct buf line = { 0 };
	int r = pread_into(fd, 0, 256, &line);

	return r < 0 ? r : mqueue_status_parse(buf_span(&line), status);
}
