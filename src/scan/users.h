/* SPDX-License-Identifier: MIT */
/* Names of users and groups, each asked of the system once. */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"

struct users {
	struct hash index; /* id, with bit 32 set for groups */
	struct span *names;
	size_t count;
	struct arena arena;
};

/* The name of a user or group, or its number as text where it has none. The
 * span lives as long as the cache; ptr is NULL only for lack of memory. */
struct span users_uid_name(struct users *u, uint32_t uid);
struct span users_gid_name(struct users *u, uint32_t gid);
void users_free(struct users *u);
/* The id of "NAME" or "NUMBER". 0, -ENOENT, or -errno of the user database. */
int user_id(const char *name, uint32_t *uid) _must_check_;
int group_id(const char *name, uint32_t *gid) _must_check_;
