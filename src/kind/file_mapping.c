/* SPDX-License-Identifier: MIT */
/* Shared mappings of files: mmap(2) with MAP_SHARED. Those that are objects of another
 * kind (/dev/shm, memfd, System V) are listed there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kind/mapping.h"
#include "kind/path.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

enum { FILE_PATH = MAP_OWN, FILE_DELETED = MAP_NEXT };

static const struct field fields[] = {
	MAPPING_FIELDS("file-mapping"),
	[FILE_PATH] = { .name = "path",
			.type = FIELD_STR,
			.flags = FIELD_DEFAULT | FIELD_SHRINK,
			.help = "path of the file, as its holders see it" },
	[FILE_DELETED] = { .name = "deleted",
			   .type = FIELD_BOOL,
			   .help = "the file was unlinked, and is kept by its holders only" },
	WHEREABOUTS,
};

static const struct schema schema = { "file-mapping", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_FILE_MAPPING);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_FILE_MAPPING, i);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct holding *first = held(p->snapshot, i);
	struct object_key key = holding_key(first);
	const struct found_file *file = holders_file(&p->snapshot->holders, &key);

	record_file_ref(r, MAP_REF, &key);
	if (file) {
		record_str(r, FILE_PATH, file->path);
		if (file->guessed)
			record_unknown(r, FILE_DELETED, EPERM);
		else
			record_bool(r, FILE_DELETED, file->deleted);
	}
	return mapping_project(p, r, first);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct object_key key = { .class = OBJECT_FILE_MAPPING };
	int r;

	if (span_starts(id, "/")) {
		r = path_key(id, true, &key.dev, &key.ino);
		return r < 0 ? matches_unreached(m, r) : held_match(s, &key, m);
	}
	if (parse_file_key(id, &key.dev, &key.ino) < 0) {
		report_text(report, "expected file-mapping:MAJOR:MINOR:INODE, or a path");
		return -EINVAL;
	}
	return held_match(s, &key, m);
}

/* Opens a regular file; what else lies there is not touched. Returns a descriptor or -errno. */
static int open_file(const struct create_args *args, struct stat *st, struct report *report)
{
	_cleanup_(close_fd) int place = open(args->name, O_PATH | O_CLOEXEC);
	char path[40];
	int fd;

	if (place < 0 || fstat(place, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) || st->st_size == 0) {
		report_text(report, S_ISREG(st->st_mode) ? "the file is empty" : "it is no regular file");
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	fd = open(path, (args->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Maps the file; the mapping stays until the process ends. *dev and *ino are of what was
 * mapped, whatever the path leads to by then. */
static int map_file(const struct create_args *args, uint64_t *dev, uint64_t *ino, struct report *report)
{
	int protection = PROT_READ | (args->read_only ? 0 : PROT_WRITE);
	struct stat st = { 0 };
	char path[40];
	_cleanup_(close_fd) int fd = open_file(args, &st, report);

	if (fd < 0)
		return fd;
	if (mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0) == MAP_FAILED)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path_key(span_of(path), true, dev, ino);
}

static int create(const struct create_args *args, struct report *report)
{
	uint64_t dev = 0, ino = 0;
	int r;

	if (args->name[0] != '/')
		return report_usage(report, "'%s' does not begin with a slash", args->name);
	r = map_file(args, &dev, &ino, report);
	if (r < 0)
		return r;
	return report_ref(report, "file-mapping:%u:%u:%llu", major(dev), minor(dev), (unsigned long long)ino);
}

static const struct opt create_opts[] = {
	{ .name = "read-only",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, read_only),
	  .help = "map it for reading only" },
};

const struct kind kind_file_mapping = {
	.name = "file-mapping",
	.groups = GROUP_MEMORY,
	.title = "Shared mapping of a file",
	.identifier = "device and inode, or path",
	.handle = "mappings",
	.persistence = "until the last mapping is gone",
	.access = "mode of the file",
	.source = "/proc/PID/maps",
	.create_means = "mmap(2), held",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "file-mapping:MAJOR:MINOR:INODE, file-mapping:/path",
	.schema = &schema,
	.sources = SOURCE_FILE_MAPPING | SOURCE_SHMROOT,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "PATH",
	.transient = true,
	.no_command = true,
	.create = create,
	.irremovable = only_holders_end_it,
	.held = held,
};
