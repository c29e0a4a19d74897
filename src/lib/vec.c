/* SPDX-License-Identifier: MIT */
#include "lib/vec.h"

#include <errno.h>
#include <sys/mman.h>

void memory_advise(void *memory, size_t size)
{
	const uintptr_t huge = (uintptr_t)2 << 20;
	uintptr_t start = ((uintptr_t)memory + huge - 1) & ~(huge - 1);
	uintptr_t end = ((uintptr_t)memory + size) & ~(huge - 1);

	if (size >= 2 * huge && end > start)
		madvise((void *)start, end - start, MADV_HUGEPAGE);
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
