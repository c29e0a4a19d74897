/* SPDX-License-Identifier: MIT */
/* What segments and named semaphores share: both are files in /dev/shm. */
#pragma once

#include "kind/evidence.h"
#include "kind/holding.h"

/* The field tables of both kinds start with these. */
enum shmfile_field {
	FILE_KIND,
	FILE_REF,
	FILE_NAME,
	FILE_TYPE,
	FILE_OWNER,
	FILE_GROUP,
	FILE_UID,
	FILE_GID,
	FILE_MODE,
	FILE_SIZE,
	FILE_ALLOCATED,
	FILE_LINKS,
	FILE_INODE,
	FILE_ATIME,
	FILE_MTIME,
	FILE_CTIME,
	FILE_DELETED,
	FILE_NHOLDERS,
	FILE_HOLDERS,
	FILE_AGE,
	FILE_STATE,
	FILE_REASON,
	FILE_EVIDENCE,
	FILE_NEXT,
};

extern const char *const file_type_values[];

/* Flags of the fields in which the kinds differ. */
#define SHMFILE_FIELDS(kind, type_flags, size_flags)                                                         \
	[FILE_KIND] = COMMON_KIND(kind), [FILE_REF] = COMMON_REF,                                            \
	[FILE_NAME] = { .name = "name",                                                                      \
			.type = FIELD_STR,                                                                   \
			.flags = FIELD_SHRINK,                                                               \
			.help = "name with its leading slash" },                                             \
	[FILE_TYPE] = { .name = "type",                                                                      \
			.type = FIELD_STR,                                                                   \
			.flags = (type_flags),                                                               \
			.values = file_type_values,                                                          \
			.help = "what lies there; only a regular file is one" },                             \
	[FILE_OWNER] = COMMON_OWNER, [FILE_GROUP] = COMMON_GROUP, [FILE_UID] = COMMON_UID,                   \
	[FILE_GID] = COMMON_GID, [FILE_MODE] = COMMON_MODE,                                                  \
	[FILE_SIZE] = { .name = "size", .type = FIELD_BYTES, .flags = (size_flags), .help = "length" },      \
	[FILE_ALLOCATED] = { .name = "allocated",                                                            \
			     .type = FIELD_BYTES,                                                            \
			     .flags = (size_flags) & ~FIELD_MIXED,                                           \
			     .help = "memory it really takes" },                                             \
	[FILE_LINKS] = { .name = "links", .type = FIELD_U64, .help = "names it has" },                       \
	[FILE_INODE] = { .name = "inode",                                                                    \
			 .type = FIELD_U64,                                                                  \
			 .flags = FIELD_IDENTITY,                                                            \
			 .help = "inode number" },                                                           \
	[FILE_ATIME] = { .name = "atime", .type = FIELD_TIME, .help = "last read(2)" },                      \
	[FILE_MTIME] = { .name = "mtime", .type = FIELD_TIME, .help = "last write(2) or truncation" },       \
	[FILE_CTIME] = { .name = "ctime", .type = FIELD_TIME, .help = "last change of its inode" },          \
	[FILE_DELETED] = { .name = "deleted",                                                                \
			   .type = FIELD_BOOL,                                                               \
			   .sources = SOURCE_HOLDERS,                                                        \
			   .help = "unlinked, and kept by its holders only" },                               \
	[FILE_NHOLDERS] = COMMON_NHOLDERS, [FILE_HOLDERS] = COMMON_HOLDERS, [FILE_AGE] = COMMON_AGE,         \
	[FILE_STATE] = COMMON_STATE, [FILE_REASON] = COMMON_REASON, [FILE_EVIDENCE] = COMMON_EVIDENCE

/* Fills those fields, state included. 0, PROJECT_SKIP or -ENOMEM. ref is "KIND:NAME_PREFIX" + name, name =
 * "/" + the path behind skip bytes. */
int shmfile_project(struct projector *p, struct record *r, const struct shm_entry *e, const char *name_prefix,
		    size_t skip) _must_check_;
/* Checks NAME of a reference or of create: one leading slash is taken off; "" , "/",
 * "." , "..", too long and (unless nested) inner slashes are refused with
 * report->text. Returns 0 and the rest in *name, or -EINVAL. */
int shmfile_name(struct span text, bool nested, struct span *name, struct report *report) _must_check_;
/* As kind->narrow, of the kinds whose objects are names in `list` of the request; an
 * "inode=N" only holders lead to. */
int shmfile_narrow(struct span id, struct scan_request *request, struct name_list *list) _must_check_;
/* As kind->held, of an entry of the tree. */
const struct holding *shmfile_held(const struct snapshot *s, size_t i);
/* The number of "inode=N". 0, or -EINVAL if the id is of another form. */
int parse_inode(struct span id, uint64_t *ino) _must_check_;
/* "inode=N" of a reference to an object that has no name any more: its index in
 * the tree, -ENOENT, or -EINVAL if the id is of another form. */
int64_t shmfile_find_inode(const struct shmtree *t, struct span id);
/*
 * What the error of shmtree_open_file() makes of the fields [first, last] that were
 * to be read: PROJECT_SKIP if the file is gone, else 0 with the fields unknown.
 */
int shmfile_unreadable(struct record *r, size_t first, size_t last, int error);
/* With --exist-ok: whether what has that name is a file at all. 0 or -errno. */
int shmfile_accept(const char *name, const char *noun, const struct create_args *args,
		   struct report *report) _must_check_;
/* Unlinks exactly this entry; refuses what is no regular file. As kind->remove. */
int shmfile_remove(struct snapshot *s, size_t i, const char *noun, struct report *report);

/* As kind->reclaim, of an entry of the tree. */
int shmfile_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report);

/*
 * Makes the file `name` in /dev/shm, whole before it is visible: contents, length,
 * owner and mode are set on a nameless file that is then linked in. 0, or -errno:
 * -EEXIST.
 */
int shmfile_create(const char *name, const void *content, size_t content_size, uint64_t size,
		   const struct create_args *args, struct report *report) _must_check_;
