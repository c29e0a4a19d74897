/* SPDX-License-Identifier: MIT */
/* Memory files: memfd_create(2). */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/mman.h>

#include "kind/held.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"

#define LONGEST_NAME 249 /* memfd_create(2) */

enum {
	MEMFD_KIND,
	MEMFD_REF,
	MEMFD_NAME,
	MEMFD_INODE,
	MEMFD_DEVICE,
	MEMFD_SIZE,
	MEMFD_ALLOCATED,
	MEMFD_HUGETLB_FIELD,
	MEMFD_SEALS,
	MEMFD_OWNER,
	MEMFD_GROUP,
	MEMFD_UID,
	MEMFD_GID,
	MEMFD_MODE,
	MEMFD_ATIME,
	MEMFD_MTIME,
	MEMFD_CTIME,
	MEMFD_AGE,
	MEMFD_NHOLDERS,
	MEMFD_HOLDERS,
	MEMFD_STATE,
	MEMFD_REASON,
};

static const struct field fields[] = {
	[MEMFD_KIND] = COMMON_KIND("memfd"),
	[MEMFD_REF] = COMMON_REF,
	[MEMFD_NAME] = { .name = "name",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT | FIELD_SHRINK,
			 .help = "label that its creator gave it; several may have the same" },
	[MEMFD_INODE] = { .name = "inode", .type = FIELD_U64, .help = "inode number" },
	[MEMFD_DEVICE] = { .name = "device", .type = FIELD_STR, .help = "device number, MAJOR:MINOR" },
	[MEMFD_SIZE] = { .name = "size",
			 .type = FIELD_BYTES,
			 .flags = FIELD_DEFAULT | FIELD_MIXED | FIELD_GAUGE,
			 .help = "length" },
	[MEMFD_ALLOCATED] = { .name = "allocated",
			      .type = FIELD_BYTES,
			      .flags = FIELD_DEFAULT | FIELD_GAUGE,
			      .help = "memory it really takes" },
	[MEMFD_HUGETLB_FIELD] = { .name = "hugetlb", .type = FIELD_BOOL, .help = "made of huge pages" },
	[MEMFD_SEALS] = { .name = "seals",
			  .type = FIELD_STR,
			  .flags = FIELD_ON_DEMAND,
			  .sources = SOURCE_ACCESS,
			  .help = "what may not be done to it any more: seal, shrink, grow, write, "
				  "future-write, exec" },
	HELD_STAT_FIELDS(MEMFD, FIELD_DEFAULT | FIELD_MIXED),
	[MEMFD_NHOLDERS] = COMMON_NHOLDERS,
	[MEMFD_HOLDERS] = COMMON_HOLDERS,
	[MEMFD_STATE] = COMMON_STATE,
	[MEMFD_REASON] = COMMON_REASON,
	WHEREABOUTS,
};

static const struct schema schema = { "memfd", fields, ARRAY_SIZE(fields) };

static const struct held_fields held_fields = {
	MEMFD_KIND, MEMFD_REF, { MEMFD_NHOLDERS, MEMFD_HOLDERS }, MEMFD_STATE, MEMFD_REASON
};
static const struct stat_fields stat_fields = HELD_STAT_AT(MEMFD);

/* fcntl(2), F_ADD_SEALS. */
static const struct {
	int bit;
	const char *name;
} seals[] = {
	{ 0x0001, "seal" },  { 0x0002, "shrink" },	 { 0x0004, "grow" },
	{ 0x0008, "write" }, { 0x0010, "future-write" }, { 0x0020, "exec" },
};

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_MEMFD);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_MEMFD, i);
}

static int project_seals(struct projector *p, const struct holding *first, struct record *r)
{
	/* What is open for nothing (O_PATH) does not tell. */
	_cleanup_(close_fd) int fd = object_copy(p->snapshot, first, ACCESS_READ | ACCESS_WRITE);
	char text[64] = "";
	int bits;

	if (fd == -ENOENT)
		fd = object_open_mapped(p->snapshot, first);
	bits = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	if (bits < 0)
		return held_unreadable(p, r, MEMFD_SEALS, MEMFD_SEALS, fd < 0 ? fd : -errno);
	for (size_t i = 0; i < ARRAY_SIZE(seals); i++)
		if (bits & seals[i].bit)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? "," : "",
				 seals[i].name);
	record_printf(r, MEMFD_SEALS, "%s", text);
	return 0;
}

static void project_file(struct projector *p, const struct found_file *file, struct record *r)
{
	const size_t prefix = strlen("/memfd:");

	if (file && file->path.len >= prefix)
		record_str(r, MEMFD_NAME, span_from(file->path, prefix));
	else
		record_unknown_why(r, MEMFD_NAME, WHY_TOO_LONG);
	if (file && file->described) {
		record_u64(r, MEMFD_SIZE, file->size);
		record_u64(r, MEMFD_ALLOCATED, file->allocated);
	} else {
		record_unknown(r, MEMFD_SIZE, EPERM);
		record_unknown(r, MEMFD_ALLOCATED, EPERM);
	}
	record_found(p, r, &stat_fields, file);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_roles roles = { "open", "open", "open", "mapped", NULL };
	const struct holders *h = &p->snapshot->holders;
	const struct holding *first = held(p->snapshot, i);
	struct object_key key = holding_key(first);
	struct holding_count found;

	if (held_project(p, r, &held_fields, first, &roles, &found) < 0)
		return -ENOMEM;
	record_number_ref(r, MEMFD_REF, first->ino);
	record_u64(r, MEMFD_INODE, first->ino);
	if (wants(p->want, MEMFD_DEVICE))
		record_device(r, MEMFD_DEVICE, key.dev);
	/* The first is the mount for pages of the usual size. */
	record_bool(r, MEMFD_HUGETLB_FIELD, h->devices.count > 0 && key.dev != h->devices.items[0]);
	project_file(p, holders_file(h, &key), r);
	return wants(p->want, MEMFD_SEALS) ? project_seals(p, first, r) : 0;
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return held_resolve(s, OBJECT_MEMFD, id, "an inode number, such as memfd:4711", m, report);
}

/* The bits of "shrink,grow"; -EINVAL with report->text. */
static int parse_seals(const char *words, struct report *report)
{
	struct span rest = span_of(words);
	int bits = 0;

	while (true) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct span word = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };
		size_t i = 0;

		while (i < ARRAY_SIZE(seals) && !span_is(word, seals[i].name))
			i++;
		if (i == ARRAY_SIZE(seals))
			return report_usage(report,
					    "--seals: '%.*s' is none of seal, shrink, grow, write, "
					    "future-write, exec",
					    (int)word.len, word.ptr);
		bits |= seals[i].bit;
		if (!comma)
			return bits;
		rest = span_from(rest, word.len + 1);
	}
}

static int create(const struct create_args *args, struct report *report)
{
	uint64_t huge = args->huge_page_size.value;
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int bits = args->seals ? parse_seals(args->seals, report) : 0;
	struct stat st;
	int fd;

	if (bits < 0)
		return bits;
	if (args->name && strlen(args->name) > LONGEST_NAME)
		return report_usage(report, "a name has at most %d bytes", LONGEST_NAME);
	if (args->huge_page_size.set && (huge == 0 || (huge & (huge - 1)) != 0)) {
		return report_usage(report, "--huge-page-size must be a power of two, such as 2M");
	}
	if (args->huge_page_size.set)
		flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(huge) << MFD_HUGE_SHIFT;
	fd = memfd_create(args->name ? args->name : "ipcctl", flags);
	if (fd < 0)
		return -errno;
	report_made(report, fd, "IPCCTL_FD");
	if (args->size.set && (args->size.value > INT64_MAX || ftruncate(fd, (off_t)args->size.value) < 0))
		return args->size.value > INT64_MAX ? -EFBIG : -errno;
	if ((bits && fcntl(fd, F_ADD_SEALS, bits) < 0) || fstat(fd, &st) < 0)
		return -errno;
	return report_ref(report, "memfd:%llu", (unsigned long long)st.st_ino);
}

static const struct opt create_opts[] = {
	{ .name = "size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, size),
	  .help = "bytes, or with K M G T (default 0)" },
	{ .name = "seals",
	  .type = OPT_STRING,
	  .arg = "SEAL,...",
	  .offset = offsetof(struct create_args, seals),
	  .help = "seal it: seal, shrink, grow, write, future-write, exec" },
	{ .name = "huge-page-size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, huge_page_size),
	  .help = "make it of huge pages of this size, such as 2M" },
};

const struct kind kind_memfd = {
	.name = "memfd",
	.groups = GROUP_FD | GROUP_MEMORY,
	.title = "Memory file (memfd)",
	.identifier = "inode number; the name is a mere label",
	.handle = "file descriptors and mappings",
	.persistence = "until the last descriptor and mapping are gone",
	.access = "whoever was given a descriptor",
	.source = "/proc/PID/fd, maps",
	.create_means = "memfd_create(2), handed to COMMAND",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "memfd:INODE",
	.schema = &schema,
	.bytes_field = "allocated",
	.sources = SOURCE_MEMFD,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "NAME",
	.name_optional = true,
	.transient = true,
	.create = create,
	.irremovable = only_holders_end_it,
	.held = held,
};
