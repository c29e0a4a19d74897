/* SPDX-License-Identifier: MIT */
/* Which containers and units processes belong to, each process asked once. */
#pragma once

#include "lib/hash.h"
#include "scan/container.h"
#include "scan/context.h"

/* What is told of a process. */
struct inhabitant {
	int error;	  /* 0 or -errno: nothing is known */
	struct span text; /* of container_text(), or empty */
	struct span id, unit;
};

struct inhabitants {
	struct inhabitant *items;
	size_t count;
	struct hash by_pid;
	struct arena arena;
	int root; /* of the system in question, once it was needed: 0: not yet, -1: there is none */
};

/* Where a process belongs; pid 0: this one. It is valid until the next call; NULL: no memory. */
const struct inhabitant *inhabitants_of(struct inhabitants *in, const struct scan_context *context,
					uint32_t pid);
void inhabitants_free(struct inhabitants *in);
