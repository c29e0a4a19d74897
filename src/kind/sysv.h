/* SPDX-License-Identifier: MIT */
/* What the three System V kinds share: the first fields, references, keys, creation. */
#pragma once

#include <sys/ipc.h>

#include "kind/common.h"

/* Every System V field table starts with these. */
enum sysv_field {
	SYSV_KIND,
	SYSV_REF,
	SYSV_ID,
	SYSV_KEY,
	SYSV_OWNER,
	SYSV_GROUP,
	SYSV_UID,
	SYSV_GID,
	SYSV_CREATOR,
	SYSV_CREATOR_GROUP,
	SYSV_CUID,
	SYSV_CGID,
	SYSV_MODE,
	SYSV_NEXT, /* first field of the kind's own */
};

#define SYSV_HEAD_FIELDS(kind)                                                                               \
	[SYSV_KIND] = COMMON_KIND(kind), [SYSV_REF] = COMMON_REF,                                            \
	[SYSV_ID] = { .name = "id", .type = FIELD_U64, .help = "identifier, as the system calls take it" },  \
	[SYSV_KEY] = { .name = "key",                                                                        \
		       .type = FIELD_KEY,                                                                    \
		       .flags = FIELD_DEFAULT,                                                               \
		       .help = "key under which it is found; 0x00000000: private or removed" },              \
	[SYSV_OWNER] = COMMON_OWNER, [SYSV_GROUP] = COMMON_GROUP, [SYSV_UID] = COMMON_UID,                   \
	[SYSV_GID] = COMMON_GID,                                                                             \
	[SYSV_CREATOR] = { .name = "creator", .type = FIELD_STR, .help = "name of the creating user" },      \
	[SYSV_CREATOR_GROUP] = { .name = "creator_group",                                                    \
				 .type = FIELD_STR,                                                          \
				 .help = "name of the creating group" },                                     \
	[SYSV_CUID] = { .name = "cuid",                                                                      \
			.type = FIELD_UID,                                                                   \
			.flags = FIELD_IDENTITY,                                                             \
			.help = "number of the creating user" },                                             \
	[SYSV_CGID] = { .name = "cgid",                                                                      \
			.type = FIELD_GID,                                                                   \
			.flags = FIELD_IDENTITY,                                                             \
			.help = "number of the creating group" },                                            \
	[SYSV_MODE] = COMMON_MODE

/* Fills the first fields from what all tables have. */
void sysv_project(struct projector *p, struct record *r, const struct sysv_perm *perm);
/* "ID" or "key=KEY" into indices of the table. */
int sysv_resolve(struct sysv_table *t, struct span id, struct matches *m, struct report *report);
/* The greater of two time stamps. */
static inline int64_t newer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How a System V kind is made. */
struct sysv_maker {
	const char *kind;
	/* shmget(2) and its siblings: the id, or -1 and errno. */
	int (*get)(key_t key, int flags, const struct create_args *args);
	/* Sets what get() cannot, on a new object; uid and gid may be -1. 0 or -errno. */
	int (*finish)(int id, const struct create_args *args, uint32_t uid, uint32_t gid,
		      struct report *report);
	void (*discard)(int id);
};

int sysv_create(const struct sysv_maker *maker, const struct create_args *args, struct report *report);
/* Puts owner, group and permissions where they differ from what is there. */
void sysv_set_perm(struct ipc_perm *perm, uint32_t uid, uint32_t gid, unsigned mode);
/* Whether the object is still the one that was listed: 0, -ESTALE. */
int sysv_compare(const struct ipc_perm *now, const struct sysv_perm *then);
/* What IPC_RMID's errno means for remove(). */
int sysv_removed(int r);

#define SYSV_CREATE_OPTS                                                                                     \
	{ .name = "key",                                                                                     \
	  .type = OPT_STRING,                                                                                \
	  .arg = "KEY",                                                                                      \
	  .offset = offsetof(struct create_args, key),                                                       \
	  .help = "key, such as 0x162e (default: none, private)" },                                          \
		{                                                                                            \
			.name = "path",                                                                      \
			.type = OPT_STRING,                                                                  \
			.arg = "PATH",                                                                       \
			.complete = COMPLETE_FILE,                                                           \
			.offset = offsetof(struct create_args, path),                                        \
			.help = "derive the key from this file, as ftok(3) does",                            \
		},                                                                                           \
		{                                                                                            \
			.name = "project",                                                                   \
			.type = OPT_U64,                                                                     \
			.arg = "N",                                                                          \
			.offset = offsetof(struct create_args, project),                                     \
			.help = "project number for --path, 1 to 255 (default 1)",                           \
		},                                                                                           \
		CREATE_OPT_MODE, CREATE_OPT_OWNER, CREATE_OPT_EXIST_OK
