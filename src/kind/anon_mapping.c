/* SPDX-License-Identifier: MIT */
/* Shared anonymous memory: mmap(2) with MAP_SHARED and MAP_ANONYMOUS. */
#include <errno.h>
#include <sys/mman.h>

#include "kind/mapping.h"
#include "kind/registry.h"
#include "kind/whereabouts.h"
#include "scan/maps.h"

enum { ANON_HUGETLB = MAP_OWN };

static const struct field fields[] = {
	[ANON_HUGETLB] = { .name = "hugetlb", .type = FIELD_BOOL, .help = "made of huge pages" },
	MAPPING_FIELDS("anon-mapping"),
	WHEREABOUTS,
};

static const struct schema schema = { "anon-mapping", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_ANON_MAPPING);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_ANON_MAPPING, i);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct internal_devices *devices = &p->snapshot->holders.devices;
	const struct holding *first = held(p->snapshot, i);
	struct object_key key = holding_key(first);

	record_number_ref(r, MAP_REF, first->ino);
	/* The first is the mount for pages of the usual size. */
	record_bool(r, ANON_HUGETLB, devices->count > 0 && key.dev != devices->items[0]);
	return mapping_project(p, r, first);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return held_resolve(s, OBJECT_ANON_MAPPING, id, "an inode number, such as anon-mapping:4711", m,
			    report);
}

static int create(const struct create_args *args, struct report *report)
{
	size_t size = (size_t)args->size.value;
	struct map_line map;
	void *address;
	int r;

	if (!args->size.set || size == 0 || args->size.value > SIZE_MAX / 2)
		return report_usage(report, "--size is needed: how many bytes");
	address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (address == MAP_FAILED)
		return -errno;
	r = maps_find_own(address, &map);
	if (r < 0)
		return r;
	return report_ref(report, "anon-mapping:%llu", (unsigned long long)map.inode);
}

static const struct opt create_opts[] = {
	{ .name = "size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, size),
	  .help = "bytes, or with K M G T (needed)" },
};

const struct kind kind_anon_mapping = {
	.name = "anon-mapping",
	.groups = GROUP_MEMORY,
	.title = "Shared anonymous mapping",
	.identifier = "inode number",
	.handle = "mappings, inherited by fork(2)",
	.persistence = "until the last mapping is gone",
	.access = "descendants of its creator",
	.source = "/proc/PID/maps",
	.create_means = "mmap(2), held",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "anon-mapping:INODE",
	.schema = &schema,
	.sources = SOURCE_ANON_MAPPING,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.transient = true,
	.no_command = true,
	.create = create,
	.irremovable = only_holders_end_it,
	.held = held,
};
