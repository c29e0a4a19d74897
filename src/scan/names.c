/* SPDX-License-Identifier: MIT */
#include "scan/names.h"

#include <errno.h>

int name_list_add(struct name_list *list, struct span name)
{
	struct span *items;

	/* Doubles at each power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		items = reallocarray(list->items, list->count ? list->count * 2 : 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
	}
	list->items[list->count++] = name;
	return 0;
}

void name_list_free(struct name_list *list)
{
	free(list->items);
	*list = (struct name_list){ 0 };
}
