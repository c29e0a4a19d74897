/* SPDX-License-Identifier: MIT */
/* Futexes that are asked for by their place, whether anybody waits for them or not. */
#include <errno.h>

#include "lib/vec.h"
#include "scan/futex_owner.h"
#include "scan/futex_window.h"
#include "scan/scan.h"

/* The futex that a byte of some memory belongs to, or -ENOENT. */
static int64_t find(const struct futexes *f, const struct memory_object *object, uint64_t offset)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct futex *x = &f->items[i];

		if (memory_object_same(&x->object, object) && offset >= x->offset &&
		    offset - x->offset < x->decoded.size)
			return (int64_t)i;
	}
	return -ENOENT;
}

/* Adds what was read; nobody in sight waits for it, or holds it as far as the kernel knows. */
static int64_t add(struct snapshot *s, const struct futex_bytes *b, enum futex_libc libc, struct futex *futex)
{
	struct futexes *f = &s->futexes;
	const struct futex_hint hint = { .operation = FUTEX_OP_NONE, .libc = libc };

	if (futex_find_entry(s, futex) < 0 || vec_reserve(&f->items, f->count, sizeof(*futex)) < 0)
		return -ENOMEM;
	futex_window_decode(b, &hint, futex);
	futex->unclear = futex_waits_unclear(s, &futex->object);
	if (futex_owners_find(s, futex, 1) < 0)
		return -ENOMEM;
	f->items[f->count] = *futex;
	return (int64_t)f->count++;
}

/* What lies at an address in a region of a process. */
static int64_t add_at(struct snapshot *s, const struct regions *regions, const struct region *region,
		      uint64_t address)
{
	struct futex_word word = { .object = region->object,
				   .offset = region->offset + (address - region->start),
				   .waiter = { .pid = regions->pid, .tid = regions->tid, .address = address },
				   .region_start = region->start,
				   .region_end = region->end,
				   .local = region->local };
	struct futex futex = { .object = region->object, .pid = regions->pid, .address = address };
	struct futex_bytes b;
	int64_t known = find(&s->futexes, &word.object, word.offset);
	int r;

	if (known >= 0)
		return known;
	futex.path = arena_span(&s->futexes.arena, region->path);
	if (!futex.path.ptr)
		return -ENOMEM;
	r = futex_window_task(&b, s->context->proc, &word);
	return r < 0 ? r : add(s, &b, regions->libc, &futex);
}

int64_t futexes_at(struct snapshot *s, uint32_t pid, uint64_t address)
{
	const struct region *region;
	struct region_reader reader;
	struct regions regions;
	int64_t r;

	if (!s->futexes.looked || !s->context->own_proc || !s->context->own_pids)
		return -ENOTSUP;
	if (address % sizeof(uint32_t) != 0)
		return -EINVAL;
	region_reader_init(&reader, s);
	r = regions_read(&regions, &reader, pid, 0);
	if (r == 0 && regions.error < 0)
		r = regions.error == -ESRCH ? -ENOENT : regions.error;
	if (r == 0) {
		region = regions_find(&regions, address);
		r = region ? add_at(s, &regions, region, address) : -EFAULT;
	}
	regions_free(&regions);
	return r;
}

/* Through one of the processes that have the place mapped; -EFAULT: none has. */
static int64_t through_mappings(struct snapshot *s, const struct memory_object *object, uint64_t offset)
{
	const struct holders *h = &s->holders;
	int64_t r = -EFAULT;

	for (const struct holding *g = memory_object_holding(s, object); g && r < 0; g = holding_next(h, g)) {
		const struct range *range = holding_range(h, g);

		if (range && offset >= range->offset && offset - range->offset < range->end - range->start)
			r = futexes_at(s, holding_holder(h, g)->pid, range->start + (offset - range->offset));
	}
	return r;
}

int64_t futexes_in(struct snapshot *s, const struct memory_object *object, uint64_t offset, int fd)
{
	struct futex futex = { .object = *object };
	struct futex_bytes b;
	int64_t r;
	int e;

	if (!s->futexes.looked)
		return -ENOTSUP;
	if (offset % sizeof(uint32_t) != 0)
		return -EINVAL;
	r = find(&s->futexes, object, offset);
	if (r < 0)
		r = through_mappings(s, object, offset);
	if (r >= 0 || fd < 0)
		return r;
	e = futex_window_file(&b, fd, offset);
	return e < 0 ? e : add(s, &b, LIBC_UNKNOWN, &futex);
}
