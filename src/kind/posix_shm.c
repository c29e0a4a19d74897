/* SPDX-License-Identifier: MIT */
/* POSIX shared memory: files in /dev/shm (shm_overview(7)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statvfs.h>

#include "kind/content.h"
#include "kind/registry.h"
#include "kind/shmfile.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"

enum {
	SHM_TARGET = FILE_NEXT,
	SHM_CONTENT,
	SHM_CONTENT_READ,
};

static const struct field fields[] = {
	SHMFILE_FIELDS("posix-shm", FIELD_DEFAULT, FIELD_DEFAULT | FIELD_MIXED | FIELD_GAUGE),
	[SHM_TARGET] = { .name = "target",
			 .type = FIELD_STR,
			 .flags = FIELD_ON_DEMAND,
			 .help = "where a symbolic link points; it is not followed" },
	[SHM_CONTENT] = { .name = "content",
			  .type = FIELD_LIST,
			  .flags = FIELD_EXPLICIT,
			  .items = &content_schema,
			  .help = "bytes of the segment, holes left out (--content)" },
	[SHM_CONTENT_READ] = COMMON_CONTENT_READ,
	WHEREABOUTS_SHM,
};

static const struct schema schema = { "posix-shm", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->shm.count;
}

/* Everything in /dev/shm that is no semaphore. */
static bool owns(const struct snapshot *s, size_t i)
{
	return !shm_entry_reads_as_semaphore(&s->shm.items[i]);
}

static bool is_certain(const struct snapshot *s, size_t i)
{
	return !s->shm.items[i].maybe_musl;
}

static int project_target(struct projector *p, const struct shm_entry *e, struct record *r)
{
	const struct shmtree *t = &p->snapshot->shm;
	char target[PATH_MAX];
	const char *leaf;
	_cleanup_(close_fd) int parent = shmtree_open_parent(t, e->path, &leaf);
	ssize_t n = parent < 0 ? -1 : readlinkat(parent, leaf, target, sizeof(target));
	int error = parent < 0 ? -parent : n < 0 ? errno : 0;
	struct span copy;

	/* Gone, or something else by now: it has no target any more. */
	if (error == ENOENT || error == EINVAL)
		return PROJECT_SKIP;
	if (error) {
		record_unknown(r, SHM_TARGET, error);
		return 0;
	}
	copy = arena_span(r->arena, (struct span){ target, (size_t)n });
	if (copy.ptr)
		record_str(r, SHM_TARGET, copy);
	else
		record_unknown(r, SHM_TARGET, ENOMEM);
	return 0;
}

static int project_content(struct projector *p, const struct shm_entry *e, struct record *r)
{
	_cleanup_(close_fd) int fd = e->deleted ? -1 : shmtree_open_file(&p->snapshot->shm, e);

	if (e->deleted) {
		record_unknown_why(r, SHM_CONTENT, WHY_NO_NAME);
		return 0;
	}
	if (fd < 0)
		return shmfile_unreadable(r, SHM_CONTENT, SHM_CONTENT, fd);
	return content_read_file(r, SHM_CONTENT, SHM_CONTENT_READ, fd, e->size,
				 p->snapshot->depth.content_max);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct shm_entry *e = &p->snapshot->shm.items[i];

	int error = shmfile_project(p, r, e, "", 0);

	if (error)
		return error;
	if (wants(p->want, SHM_TARGET) && S_ISLNK(e->mode))
		return project_target(p, e, r);
	if (!wants_any(p->want, SHM_CONTENT, SHM_CONTENT_READ) || !S_ISREG(e->mode))
		return 0;
	if (p->snapshot->depth.content)
		return project_content(p, e, r);
	record_unknown_why(r, SHM_CONTENT, WHY_NEEDS_CONTENT);
	return 0;
}

static int narrow(struct span id, struct scan_request *request)
{
	return shmfile_narrow(id, request, &request->shm_names);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct span name;
	int64_t i = shmfile_find_inode(&s->shm, id);

	if (i == -EINVAL) {
		i = shmfile_name(id, true, &name, report);
		if (i == 0)
			i = shmtree_find(&s->shm, name);
	}
	if (i >= 0 && !s->shm.items[i].deleted && shm_entry_is_semaphore(&s->shm.items[i])) {
		report_text(report, "it is a semaphore: posix-sem:/%s",
			    s->shm.items[i].path.ptr + strlen("sem."));
		return -EINVAL;
	}
	return matches_found(m, i);
}

static int remove_file(struct snapshot *s, size_t i, struct report *report)
{
	return shmfile_remove(s, i, "segment", report);
}

static int create(const struct create_args *args, struct report *report)
{
	struct span name;
	int r = shmfile_name(span_of(args->name ? args->name : ""), false, &name, report);

	if (r < 0)
		return r;
	if (span_starts(name, "sem."))
		return report_usage(report,
				    "names that start with 'sem.' are semaphores: use create posix-sem");
	r = shmfile_create(name.ptr, NULL, 0, args->size.value, args, report);
	if (r == -EEXIST && args->exist_ok)
		r = shmfile_accept(name.ptr, "segment", args, report);
	if (r < 0)
		return r;
	return report_ref(report, "posix-shm:/%s", name.ptr);
}

static const struct opt create_opts[] = {
	{ .name = "size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, size),
	  .help = "bytes, or with K M G T (default 0)" },
	CREATE_OPT_MODE,
	CREATE_OPT_OWNER,
	CREATE_OPT_EXIST_OK,
};

/* The size limit of the tmpfs; absent where it has none. */
static void read_statvfs(struct snapshot *s, struct limit_value *out, bool inodes)
{
	struct statvfs st;
	uint64_t total, left;
	int error = s->shm.root < 0 ? WHY_TOLD : fstatvfs(s->shm.root, &st) < 0 ? errno : 0;

	if (s->shm.root < 0 || error) {
		out->limit = out->used = (struct value){ .state = VALUE_UNKNOWN, .error = error };
		return;
	}
	total = inodes ? st.f_files : (uint64_t)st.f_blocks * st.f_frsize;
	left = inodes ? st.f_ffree : (uint64_t)st.f_bfree * st.f_frsize;
	if (total == 0)
		return;
	out->limit = value_u64(total);
	out->used = value_u64(total - left);
}

static void limit_bytes(struct snapshot *s, struct limit_value *out)
{
	read_statvfs(s, out, false);
}

static void limit_inodes(struct snapshot *s, struct limit_value *out)
{
	read_statvfs(s, out, true);
}

static const struct limit limits[] = {
	{ "shm-size", FIELD_BYTES, "memory of all files in /dev/shm", "mount option size",
	  "write: ENOSPC; mapped: SIGBUS", true, SOURCE_SHMROOT, limit_bytes },
	{ "shm-inodes", FIELD_U64, "files in /dev/shm", "mount option nr_inodes", "shm_open: ENOSPC", true,
	  SOURCE_SHMROOT, limit_inodes },
};

const struct kind kind_posix_shm = {
	.name = "posix-shm",
	.groups = GROUP_POSIX | GROUP_PERSISTENT | GROUP_MEMORY,
	.letter = 'M',
	.title = "POSIX shared memory segment",
	.identifier = "name",
	.handle = "file descriptor; address once mapped",
	.persistence = "until unlinked and unused, or reboot",
	.access = "mode and owner of the file",
	.source = "/dev/shm",
	.create_means = "shm_open(3)",
	.remove_means = "shm_unlink(3); memory goes with the last user",
	.reference = "posix-shm:/NAME, posix-shm:inode=N (deleted)",
	.schema = &schema,
	.bytes_field = "allocated",
	.sources = SOURCE_SHMTREE,
	.namespace = "mntns",
	.narrow = narrow,
	.count = count,
	.owns = owns,
	.is_certain = is_certain,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "NAME",
	.create = create,
	.remove = remove_file,
	.reclaim = shmfile_reclaim,
	.shown_by = CAPABILITY(CAP_DAC_READ_SEARCH),
	.remover = CAP_FOWNER,
	.held = shmfile_held,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
