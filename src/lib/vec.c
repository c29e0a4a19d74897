/* SPDX-License-Identifier: MIT */
#include "lib/vec.h"

#include <errno.h>
#include <sys/mman.h>

void *memory_zeroed(size_t count, size_t size)
{
	const size_t huge = (size_t)2 << 20;
	size_t bytes = count * size;
	void *memory;

	if (count > SIZE_MAX / size || bytes < 2 * huge || bytes % huge != 0)
		return calloc(count, size);
	memory = aligned_alloc(huge, bytes);
	if (memory) {
		madvise(memory, bytes, MADV_HUGEPAGE);
		memset(memory, 0, bytes);
	}
	return memory;
}

int vec_reserve(void *array, size_t count, size_t size)
{
	void *items;

	/* Full at each power of two. */
	if ((count & (count - 1)) != 0)
		return 0;
	memcpy(&items, array, sizeof(items));
	/* cppcheck-suppress memleakOnRealloc ; the array still has it */
	items = reallocarray(items, count ? count * 2 : 1, size);
	if (!items)
		return -ENOMEM;
	memcpy(array, &items, sizeof(items));
	return 0;
}

int by_u32(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

int by_u64(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}
