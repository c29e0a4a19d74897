/* SPDX-License-Identifier: MIT */
#include "kind/mapping.h"

#include <errno.h>

#include "scan/smaps.h"

enum { MEMORY_PID, MEMORY_ADDRESS, MEMORY_RSS, MEMORY_PSS, MEMORY_DIRTY, MEMORY_SWAP };

static const struct field memory_fields[] = {
	[MEMORY_PID] = { .name = "pid", .type = FIELD_PID, .help = "process" },
	[MEMORY_ADDRESS] = { .name = "address", .type = FIELD_STR, .help = "addresses of the mapping" },
	[MEMORY_RSS] = { .name = "rss", .type = FIELD_BYTES, .help = "resident memory" },
	[MEMORY_PSS] = { .name = "pss", .type = FIELD_BYTES, .help = "its share of that" },
	[MEMORY_DIRTY] = { .name = "dirty", .type = FIELD_BYTES, .help = "changed, not written back" },
	[MEMORY_SWAP] = { .name = "swap", .type = FIELD_BYTES, .help = "swapped out" },
};

const struct schema mapping_memory_schema = { "memory", memory_fields, ARRAY_SIZE(memory_fields) };

static const struct held_fields held_fields = {
	MAP_KIND, MAP_REF, { MAP_NHOLDERS, MAP_HOLDERS }, MAP_STATE, MAP_REASON
};
static const struct stat_fields stat_fields = HELD_STAT_AT(MAP);

/* Sums over the mappings of one object. */
struct sums {
	uint64_t rss, pss, swap;
	struct list *list; /* of rows, or NULL */
	int error;	   /* of a process that could not be read */
};

static int add_entry(struct record *r, struct sums *sums, uint32_t pid, const struct smaps_entry *e)
{
	struct record row;

	sums->rss += e->rss;
	sums->pss += e->pss;
	sums->swap += e->swap;
	if (!sums->list)
		return 0;
	if (list_append(r, sums->list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, MEMORY_PID, pid);
	record_printf(&row, MEMORY_ADDRESS, "%llx-%llx", (unsigned long long)e->start,
		      (unsigned long long)e->end);
	record_u64(&row, MEMORY_RSS, e->rss);
	record_u64(&row, MEMORY_PSS, e->pss);
	record_u64(&row, MEMORY_DIRTY, e->dirty);
	record_u64(&row, MEMORY_SWAP, e->swap);
	return 0;
}

static bool is_entry_of(const struct holders *h, const struct holding *g, const struct smaps_entry *e)
{
	const struct range *range = holding_range(h, g);

	return range->start == e->start && range->offset == e->offset && g->ino == e->inode;
}

/*
 * The mappings of one process, from *g on, which moves to those of the next: both its
 * holdings and smaps stand in the order of addresses.
 */
static int add_process(struct projector *p, struct record *r, struct sums *sums, const struct holding **g)
{
	const struct holders *h = &p->snapshot->holders;
	uint32_t holder = (*g)->holder, pid = h->items[holder].pid;
	struct smaps_reader *reader = NULL;
	struct smaps_entry e;
	int r_open = smaps_open(&reader, p->snapshot->context->proc, pid, (*g)->tid), n = 0;

	if (r_open < 0 && r_open != -ENOENT && r_open != -ESRCH)
		sums->error = r_open;
	while (reader && *g && (*g)->holder == holder && (n = smaps_next(reader, &e)) > 0) {
		while (*g && (*g)->holder == holder && holding_range(h, *g)->start < e.start)
			*g = holding_next(h, *g);
		/* The same addresses may have another file by now. */
		if (*g && (*g)->holder == holder && is_entry_of(h, *g, &e) &&
		    add_entry(r, sums, pid, &e) < 0) {
			smaps_close(reader);
			return -ENOMEM;
		}
	}
	if (n < 0 && n != -ESRCH)
		sums->error = n;
	while (*g && (*g)->holder == holder)
		*g = holding_next(h, *g);
	smaps_close(reader);
	return 0;
}

static int project_memory(struct projector *p, struct record *r, const struct holding *first,
			  const struct holding_count *found)
{
	struct sums sums = { 0 };

	if (wants(p->want, MAP_MEMORY)) {
		sums.list = record_list(r, MAP_MEMORY);
		if (!sums.list)
			return -ENOMEM;
	}
	for (const struct holding *g = first; g;)
		if (add_process(p, r, &sums, &g) < 0)
			return -ENOMEM;
	if (sums.error)
		return held_unreadable(p, r, MAP_RSS, MAP_SWAP, sums.error);
	record_known_number(r, MAP_RSS, sums.rss, found);
	record_known_number(r, MAP_PSS, sums.pss, found);
	record_known_number(r, MAP_SWAP, sums.swap, found);
	return 0;
}

static void project_ranges(struct projector *p, struct record *r, const struct holding *first,
			   const struct holding_count *found)
{
	const struct holders *h = &p->snapshot->holders;
	uint64_t mappings = 0, writable = 0, from = UINT64_MAX, to = 0;

	for (const struct holding *g = first; g; g = holding_next(h, g)) {
		const struct range *range = holding_range(h, g);
		uint64_t end = range->offset + (range->end - range->start);

		mappings++;
		writable += (g->access & ACCESS_WRITE) != 0;
		from = range->offset < from ? range->offset : from;
		to = end > to ? end : to;
	}
	record_known_number(r, MAP_MAPPINGS, mappings, found);
	record_known_number(r, MAP_WRITABLE, writable, found);
	record_known_number(r, MAP_MAPPED, to - from, found);
}

static int project_file(struct projector *p, struct record *r, const struct holding *first)
{
	struct statx stx;
	int e = object_look(p->snapshot, first, &stx);

	if (e < 0)
		return held_unreadable(p, r, MAP_SIZE, MAP_AGE, e);
	record_u64(r, MAP_SIZE, stx.stx_size);
	record_u64(r, MAP_ALLOCATED, stx.stx_blocks * 512);
	record_stat(p, r, &stat_fields, &stx);
	return 0;
}

int mapping_project(struct projector *p, struct record *r, const struct holding *first)
{
	static const struct holding_roles roles = { .mapped = "mapped" };
	struct object_key key = holding_key(first);
	struct holding_count found;

	if (held_project(p, r, &held_fields, first, &roles, &found) < 0)
		return -ENOMEM;
	if (wants(p->want, MAP_DEVICE))
		record_device(r, MAP_DEVICE, key.dev);
	record_u64(r, MAP_INODE, key.ino);
	if (wants_any(p->want, MAP_MAPPINGS, MAP_MAPPED))
		project_ranges(p, r, first, &found);
	if (wants_any(p->want, MAP_RSS, MAP_MEMORY) && project_memory(p, r, first, &found) < 0)
		return -ENOMEM;
	return wants_any(p->want, MAP_SIZE, MAP_AGE) ? project_file(p, r, first) : 0;
}
