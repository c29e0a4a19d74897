/* SPDX-License-Identifier: MIT */
#include "kind/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

void record_path_ref(struct record *r, size_t field, struct span path)
{
	size_t len = strlen(r->schema->name);
	char *text = arena_alloc(r->arena, len + 1 + path.len);

	if (!text) {
		record_unknown(r, field, ENOMEM);
		return;
	}
	memcpy(text, r->schema->name, len);
	text[len] = ':';
	memcpy(text + len + 1, path.ptr, path.len);
	record_str(r, field, (struct span){ text, len + 1 + path.len });
}

void record_file_ref(struct record *r, size_t field, const struct object_key *key)
{
	record_printf(r, field, "%s:%u:%u:%llu", r->schema->name, major(key->dev), minor(key->dev),
		      (unsigned long long)key->ino);
}

void record_path_stat(struct projector *p, struct record *r, const struct stat_fields *at,
		      const struct path_file *file)
{
	struct found_file found = {
		.described = true,
		.mode = file->mode,
		.uid = file->uid,
		.gid = file->gid,
		.atime = file->atime,
		.mtime = file->mtime,
		.ctime = file->ctime,
	};

	record_found(p, r, at, &found);
}

int path_unreached(struct span path, struct matches *m)
{
	_cleanup_(free_ptr) char *name = strndup(path.ptr, path.len);
	struct stat st;

	if (!name)
		return -ENOMEM;
	return lstat(name, &st) < 0 ? matches_unreached(m, -errno) : 0;
}

int path_parent(const char *path, const char **leaf)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(free_ptr) char *directory = NULL;
	int fd;

	if (!slash || slash[1] == '\0')
		return -EINVAL;
	*leaf = slash + 1;
	directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_unlink_at(int parent, const char *leaf, uint64_t dev, uint64_t ino, struct report *report)
{
	struct stat st;
	int r;

	if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_dev != dev || st.st_ino != ino)
		return -ESTALE;
	if (unlinkat(parent, leaf, 0) == 0)
		return 0;
	r = -errno;
	if (report && (r == -EPERM || r == -EACCES))
		report_owner(report, st.st_uid, "");
	return r;
}

int path_unlink(const char *path, uint64_t dev, uint64_t ino, struct report *report)
{
	const char *leaf;
	_cleanup_(close_fd) int parent = path_parent(path, &leaf);

	return parent < 0 ? parent : path_unlink_at(parent, leaf, dev, ino, report);
}

/* What lies there already is taken if it is of the type. */
static int accept_existing(int parent, const char *leaf, mode_t type, struct report *report)
{
	struct stat st;

	if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type) {
		report_text(report, "what is there is something else");
		return -EEXIST;
	}
	report->existed = true;
	return 0;
}

/*
 * A directory that nobody else may write in, below another. Where others may put one in its
 * place it is one of ours all the same, or refused: *st says which. A descriptor or -errno.
 */
static int make_stage(int parent, char name[], size_t size, struct stat *st)
{
	unsigned long long number;
	int r = -EEXIST, fd;

	for (int tries = 0; r == -EEXIST && tries < 8; tries++) {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -EIO;
		snprintf(name, size, ".ipcctl-%016llx", number);
		r = mkdirat(parent, name, 0700) < 0 ? -errno : 0;
	}
	if (r < 0)
		return r;
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) == 0 && st->st_uid == geteuid() && (st->st_mode & 077) == 0)
		return fd;
	close_fd(&fd);
	return -ESTALE;
}

/* Moves a file to where nothing is. NFS and other file systems can only link it. */
static int put_in_place(int stage, int parent, const char *leaf)
{
	/* musl before 1.2.4 lacks the function. */
	if (syscall(SYS_renameat2, stage, leaf, parent, leaf, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(stage, leaf, parent, leaf, 0) < 0)
		return -errno;
	return unlinkat(stage, leaf, 0) < 0 ? -errno : 0;
}

/* Makes the file in `stage` and gives it away there, where it can be no other. */
static int make_given(int stage, int parent, const char *leaf, mode_t mode, const struct create_args *args,
		      uint32_t uid, uint32_t gid, struct report *report)
{
	_cleanup_(close_fd) int file = -1;
	int r;

	if (mknodat(stage, leaf, mode, 0) < 0)
		return -errno;
	file = openat(stage, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	r = file < 0 || fchownat(file, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
	if (r < 0)
		report_text(report, "--owner '%s'", args->owner);
	else
		r = put_in_place(stage, parent, leaf);
	if (r < 0)
		unlinkat(stage, leaf, 0);
	return r;
}

/*
 * mknod(2) tells nothing of what it made, and its caller may share the directory with somebody
 * who puts another file there before it can be given away. So it gets its owner where nobody
 * else can reach it, and is complete when it appears. 0 or -errno.
 */
static int make_owned(int parent, const char *leaf, mode_t mode, const struct create_args *args,
		      struct report *report)
{
	uint32_t uid, gid;
	char name[32];
	struct stat made = { 0 }, there;
	_cleanup_(close_fd) int stage = -1;
	int r = parse_owner(args->owner, &uid, &gid, report);

	if (r < 0)
		return r;
	if (fstatat(parent, leaf, &there, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	stage = make_stage(parent, name, sizeof(name), &made);
	if (stage < 0)
		return stage;
	r = make_given(stage, parent, leaf, mode, args, uid, gid, report);
	if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == made.st_dev &&
	    there.st_ino == made.st_ino)
		unlinkat(parent, name, AT_REMOVEDIR);
	return r;
}

int path_create(const struct create_args *args, mode_t type, struct report *report)
{
	mode_t before, mode = type | create_mode(args);
	_cleanup_(close_fd) int parent = -1;
	const char *leaf;
	int r;

	if (args->name[0] != '/')
		return report_usage(report, "'%s' does not begin with a slash", args->name);
	parent = path_parent(args->name, &leaf);
	if (parent < 0)
		return parent;
	before = umask(0);
	if (args->owner)
		r = make_owned(parent, leaf, mode, args, report);
	else
		r = mknodat(parent, leaf, mode, 0) < 0 ? -errno : 0;
	umask(before);
	return r == -EEXIST && args->exist_ok ? accept_existing(parent, leaf, type, report) : r;
}
