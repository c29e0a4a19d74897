/* SPDX-License-Identifier: MIT */
#include "scan/pathfiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/vec.h"

/* Below the directories of a user's choice, but not without end. */
#define DEEPEST 64
#define READ_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

static uint64_t digest(uint64_t dev, uint64_t ino)
{
	return dev * 0x9e3779b97f4a7c15u ^ ino;
}

const struct path_file *path_files_find(const struct path_files *p, uint64_t dev, uint64_t ino)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&p->index, digest(dev, ino), slot)) != NULL)
		if (p->items[slot->value].dev == dev && p->items[slot->value].ino == ino)
			return &p->items[slot->value];
	return NULL;
}

static int add_file(struct path_files *p, struct span path, const struct stat *st)
{
	struct span copy;

	if (path_files_find(p, st->st_dev, st->st_ino))
		return 0;
	copy = arena_span(&p->arena, path);
	if (!copy.ptr || hash_add(&p->index, digest(st->st_dev, st->st_ino), (uint32_t)p->count) < 0 ||
	    vec_reserve(&p->items, p->count, sizeof(*p->items)) < 0)
		return -ENOMEM;
	p->nfifos += S_ISFIFO(st->st_mode);
	p->items[p->count++] = (struct path_file){
		.path = copy,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.atime = st->st_atim.tv_sec,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
	};
	return 0;
}

int path_files_add(struct path_files *p, struct span path, const struct statx *stx)
{
	struct stat st = {
		.st_dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.st_ino = stx->stx_ino,
		.st_mode = stx->stx_mode,
		.st_uid = stx->stx_uid,
		.st_gid = stx->stx_gid,
		.st_atim.tv_sec = stx->stx_atime.tv_sec,
		.st_mtim.tv_sec = stx->stx_mtime.tv_sec,
		.st_ctim.tv_sec = stx->stx_ctime.tv_sec,
	};

	return add_file(p, path, &st);
}

/* Two names may mean one file. */
static int add_name(struct path_files *p, struct span path, const struct stat *st)
{
	const struct path_file *file = path_files_find(p, st->st_dev, st->st_ino);

	if (vec_reserve(&p->named, p->nnamed, sizeof(*p->named)) < 0 ||
	    hash_add(&p->names, hash_bytes(path), (uint32_t)p->nnamed) < 0)
		return -ENOMEM;
	p->named[p->nnamed++] = (struct named_file){ path, (size_t)(file - p->items) };
	return 0;
}

const struct path_file *path_files_named(const struct path_files *p, struct span path)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&p->names, hash_bytes(path), slot)) != NULL)
		if (span_eq(p->named[slot->value].path, path))
			return &p->items[p->named[slot->value].file];
	return NULL;
}

/* Which mount a file is on: by number since Linux 5.8, else by its device. */
struct mounted {
	bool numbered;
	uint64_t number;
	dev_t dev;
};

/* Asks nothing of the file system, which may be a dead one. 0 or -errno. */
static int find_mount(int dir, const char *name, struct mounted *out)
{
	const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
	struct statx stx;
	int r = statx_at(dir, name, flags, STATX_MNT_ID, &stx);

	if (r == 0) {
		out->numbered = statx_mount(&stx, &out->number);
		out->dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	}
	return r;
}

static bool same_mount(const struct mounted *a, const struct mounted *b)
{
	return a->numbered && b->numbered ? a->number == b->number : a->dev == b->dev;
}

/* Where a descent is. */
struct descent {
	struct path_files *files;
	struct warnings *warnings;
	struct buf path;   /* of the directory under way */
	struct mounted at; /* other mounts are not entered */
	unsigned depth;
};

static void tell(struct warnings *warnings, struct span path, int error)
{
	warnings_add(warnings, &(struct warning){ .subject = "--path",
						  .error = -error,
						  .count = 1,
						  .fields = "what lies below",
						  .example = path });
}

static int descend(struct descent *d, int dir);

/* A directory, its access time left alone where that is allowed. Returns a descriptor or -errno. */
static int open_quietly(int dir, const char *name)
{
	int fd = openat(dir, name, READ_DIRECTORY | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(dir, name, READ_DIRECTORY);
	return fd < 0 ? -errno : fd;
}

/* A directory below where there is no openat2(2): its mount is compared before it is opened,
 * and again, for a mount may have come meanwhile. As open_below(). */
static int open_compared(const struct descent *d, int dir, const char *name)
{
	struct mounted at = { 0 };
	int r = find_mount(dir, name, &at);
	int fd;

	if (r < 0)
		return r;
	if (!same_mount(&at, &d->at))
		return -EXDEV;
	fd = open_quietly(dir, name);
	if (fd < 0)
		return fd;
	r = find_mount(fd, "", &at);
	if (r == 0 && same_mount(&at, &d->at))
		return fd;
	close_fd(&fd);
	return r < 0 ? r : -EXDEV;
}

/*
 * A directory below, not across a mount point, whose file system may be a dead one. Its access
 * time is left alone where that is allowed: to its owner, and with CAP_FOWNER. Returns a
 * descriptor or -errno; -EXDEV.
 */
static int open_below(const struct descent *d, int dir, const char *name)
{
	struct open_how how = { .flags = READ_DIRECTORY | O_NOATIME,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	if (fd < 0 && errno == EPERM) {
		how.flags = READ_DIRECTORY;
		fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	}
	if (fd >= 0)
		return fd;
	/* Old seccomp profiles refuse what they do not know with EPERM. */
	return errno == ENOSYS || errno == EPERM ? open_compared(d, dir, name) : -errno;
}

static int enter(struct descent *d, int dir, const char *name)
{
	_cleanup_(close_fd) int fd = open_below(d, dir, name);

	if (fd >= 0 && d->depth < DEEPEST)
		return descend(d, fd);
	if (fd >= 0 || (fd != -ENOENT && fd != -EXDEV))
		tell(d->warnings, buf_span(&d->path), fd < 0 ? fd : -ELOOP);
	return 0;
}

/* One name. Only what may be a FIFO or a socket is asked what it is: a mount point may
 * be that of a dead file system. */
static int visit(struct descent *d, int dir, const char *name, unsigned char type)
{
	size_t len = d->path.len;
	struct stat st;
	int r = 0;

	if (type != DT_FIFO && type != DT_SOCK && type != DT_DIR && type != DT_UNKNOWN)
		return 0;
	if (type != DT_DIR && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
		if (errno != ENOENT) /* gone meanwhile */
			tell(d->warnings, buf_span(&d->path), -errno);
		return 0;
	}
	if (len == 0 || d->path.data[len - 1] != '/')
		buf_putc(&d->path, '/');
	buf_puts(&d->path, name);
	if (d->path.failed)
		r = -ENOMEM;
	else if (type == DT_DIR || S_ISDIR(st.st_mode))
		r = enter(d, dir, name);
	else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		r = add_file(d->files, buf_span(&d->path), &st);
	d->path.len = len;
	return r;
}

static int descend(struct descent *d, int dir)
{
	_cleanup_(dir_reader_free) struct dir_reader reader = { .fd = dir };
	const char *name;
	int r = 0, n = 0;

	d->depth++;
	while (r == 0 && (n = dir_reader_next(&reader, &name)) > 0)
		r = visit(d, dir, name, reader.type);
	d->depth--;
	/* It may be gone meanwhile. */
	if (r == 0 && n < 0 && n != -ENOENT)
		tell(d->warnings, buf_span(&d->path), n);
	return r < 0 ? r : n == -ENOMEM ? n : 0;
}

static int look_below(struct path_files *p, struct span directory, struct warnings *warnings)
{
	struct descent d = { .files = p, .warnings = warnings };
	/* References begin with a slash. */
	_cleanup_(free_ptr) char *path = realpath(directory.ptr, NULL);
	_cleanup_(close_fd) int dir = path ? open_quietly(AT_FDCWD, path) : -errno;
	int r = dir < 0 ? dir : find_mount(dir, "", &d.at);

	if (r < 0) {
		tell(warnings, directory, r);
		return r == -ENOMEM ? r : 0;
	}
	buf_puts(&d.path, path);
	r = descend(&d, dir);
	buf_free(&d.path);
	return r;
}

int path_files_read(struct path_files *p, const struct name_list *directories, const struct name_list *files,
		    struct warnings *warnings)
{
	struct stat st;
	int r = 0;

	for (size_t i = 0; r == 0 && i < directories->count; i++)
		r = look_below(p, directories->items[i], warnings);
	/* A reference that leads to nothing is "not found", and said there. */
	for (size_t i = 0; r == 0 && i < files->count; i++) {
		if (lstat(files->items[i].ptr, &st) < 0) {
			if (errno != ENOENT && errno != ENOTDIR)
				warnings_add(warnings, &(struct warning){ .subject = "path",
									  .error = errno,
									  .example = files->items[i] });
		} else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
			r = add_file(p, files->items[i], &st);
			if (r == 0)
				r = add_name(p, files->items[i], &st);
		}
	}
	return r;
}

void path_files_free(struct path_files *p)
{
	free(p->items);
	hash_free(&p->index);
	hash_free(&p->names);
	free(p->named);
	arena_free(&p->arena);
	*p = (struct path_files){ 0 };
}
