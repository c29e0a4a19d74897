/* SPDX-License-Identifier: MIT */
#include "scan/names.h"

#include <errno.h>

#include "lib/vec.h"

int name_list_add(struct name_list *list, struct span name)
{
	if (vec_reserve(&list->items, list->count, sizeof(*list->items)) < 0)
		return -ENOMEM;
	list->items[list->count++] = name;
	return 0;
}

void name_list_free(struct name_list *list)
{
	free(list->items);
	*list = (struct name_list){ 0 };
}

int64_t name_index_find(struct name_index *index, const void *table, size_t count,
			struct span (*name_at)(const void *table, size_t i), struct span name)
{
	const struct hash_slot *slot = NULL;

	for (size_t i = 0; !index->built && i < count; i++)
		if (hash_add(&index->hash, hash_bytes(name_at(table, i)), (uint32_t)i) < 0)
			return -ENOMEM;
	index->built = true;
	while ((slot = hash_find(&index->hash, hash_bytes(name), slot)) != NULL)
		if (span_eq(name_at(table, slot->value), name))
			return slot->value;
	return -ENOENT;
}

void name_index_free(struct name_index *index)
{
	hash_free(&index->hash);
	index->built = false;
}
