/* SPDX-License-Identifier: MIT */
/* Which fields of a kind's records the graph looks at. */
#pragma once

#include "cmd/graphmodel.h"

/* Fields of a kind; -1: it has none. */
struct graph_columns {
	int ref, state, reason, size, holders, pid, owner_pid, peer, address, queued, queued_back, capacity;
};

struct graph_columns graph_columns_of(const struct kind *k);
/* Of graph_fields(), those that are read of every object: the others cost a call for each, and are
 * read of those alone that are drawn as lines. */
struct fieldset graph_first_fields(const struct kind *k);
/* The value of a field; -1: absent. */
struct value graph_value(const struct record *r, int field);
