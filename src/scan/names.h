/* SPDX-License-Identifier: MIT */
/* A list of names to look for; empty means all. */
#pragma once

#include "lib/hash.h"

struct name_list {
	struct span *items;
	size_t count;
};

/* Appends a name that outlives the list. 0 or -ENOMEM. */
int name_list_add(struct name_list *list, struct span name) _must_check_;
void name_list_free(struct name_list *list);

/* Finds entries of a table by their names without looking at all of them. */
struct name_index {
	struct hash hash;
	bool built;
};

/*
 * The index of the entry called `name` in a table of count entries: 0 and up, -ENOENT or
 * -ENOMEM. name_at tells an entry's name. Built by the first call; the table must not
 * change afterwards.
 */
int64_t name_index_find(struct name_index *index, const void *table, size_t count,
			struct span (*name_at)(const void *table, size_t i), struct span name);
void name_index_free(struct name_index *index);
