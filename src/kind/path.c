/* SPDX-License-Identifier: MIT */
#include "kind/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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

/* The directory of a path as a descriptor, or -errno; *leaf: what is behind it. */
static int open_parent(const char *path, const char **leaf)
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

int path_unlink(const char *path, uint64_t dev, uint64_t ino, struct report *report)
{
	const char *leaf;
	_cleanup_(close_fd) int parent = open_parent(path, &leaf);
	struct stat st;
	int r;

	if (parent < 0)
		return parent;
	if (fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_dev != dev || st.st_ino != ino)
		return -ESTALE;
	if (unlinkat(parent, leaf, 0) == 0)
		return 0;
	r = -errno;
	if (r == -EPERM || r == -EACCES)
		report_owner(report, st.st_uid, "");
	return r;
}

/* What lies there already is taken if it is of the type. */
static int accept_existing(const char *path, mode_t type, struct report *report)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type) {
		report_text(report, "what is there is something else");
		return -EEXIST;
	}
	report->existed = true;
	return 0;
}

/* Nobody else can have put another file there that we would give away: it is compared. */
static int set_owner(const char *path, mode_t type, uint32_t uid, uint32_t gid)
{
	_cleanup_(close_fd) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() || st.st_nlink != 1)
		return -ESTALE;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int path_create(const struct create_args *args, mode_t type, struct report *report)
{
	uint32_t uid = (uint32_t)-1, gid = (uint32_t)-1;
	mode_t before;
	int r = 0;

	if (args->name[0] != '/')
		return report_usage(report, "'%s' does not begin with a slash", args->name);
	if (args->owner)
		r = parse_owner(args->owner, &uid, &gid, report);
	if (r < 0)
		return r;
	before = umask(0);
	if (mknod(args->name, type | create_mode(args), 0) < 0)
		r = -errno;
	umask(before);
	if (r == -EEXIST && args->exist_ok)
		return accept_existing(args->name, type, report);
	if (r == 0 && args->owner) {
		r = set_owner(args->name, type, uid, gid);
		if (r < 0) {
			report_text(report, "--owner '%s'", args->owner);
			unlink(args->name);
		}
	}
	return r;
}
