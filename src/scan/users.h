/* SPDX-License-Identifier: MIT */
/* Names of users and groups, each asked of the system once. */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"

struct user_name {
	struct span name;
	int error; /* 0, or -errno of the user database */
};

struct users {
	struct hash index; /* id, with bit 32 set for groups */
	struct user_name *names;
	size_t count;
	struct arena arena;
	bool failed; /* memory ran out for one */
};

/* The name of a user or group, or its number as text where it has none. 0, or
 * -errno if the database could not be asked. The name lives as long as the cache. */
int users_uid_name(struct users *u, uint32_t uid, struct span *name) _must_check_;
int users_gid_name(struct users *u, uint32_t gid, struct span *name) _must_check_;
void users_free(struct users *u);
/* The id of "NAME" or "NUMBER". 0, -ENOENT, or -errno of the user database. */
int user_id(const char *name, uint32_t *uid) _must_check_;
int group_id(const char *name, uint32_t *gid) _must_check_;
