/* SPDX-License-Identifier: MIT */
#include "lib/vec.h"

#include <errno.h>

int vec_reserve(void *array, size_t count, size_t size)
{
	void *items;

	/* Full at each power of two. */
	if ((count & (count - 1)) != 0)
		return 0;
	memcpy(&items, array, sizeof(items));
	items = reallocarray(items, count ? count * 2 : 1, size);
	if (!items)
		return -ENOMEM;
	memcpy(array, &items, sizeof(items));
	return 0;
}
