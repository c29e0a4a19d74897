/* SPDX-License-Identifier: MIT */
/* A list of names to look for; empty means all. */
#pragma once

#include "lib/base.h"

struct name_list {
	struct span *items;
	size_t count;
};

/* Appends a name that outlives the list. 0 or -ENOMEM. */
int name_list_add(struct name_list *list, struct span name) _must_check_;
void name_list_free(struct name_list *list);
