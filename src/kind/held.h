/* SPDX-License-Identifier: MIT */
/* What the kinds share whose objects are found through those who hold them. */
#pragma once

#include "kind/holding.h"
#include "scan/inspect.h"

/* Which fields of a kind's table the common ones are. */
struct held_fields {
	size_t kind, ref;
	struct holding_fields holding;
	size_t state, reason;
};

/* Where a table keeps what stat(2) tells. */
struct stat_fields {
	struct owner_fields owner;
	size_t atime, mtime, ctime, age;
};

/* Those fields of a table whose enumerators are PREFIX_OWNER and so on; flags: of each, or of
 * those that are shown by default. */
#define HELD_STAT_FIELDS(prefix, shown)                                                                      \
	[prefix##_OWNER] = { .name = "owner",                                                                \
			     .type = FIELD_STR,                                                              \
			     .flags = FIELD_SHRINK | (shown),                                                \
			     .help = "name of the owning user" },                                            \
	[prefix##_GROUP] = { .name = "group",                                                                \
			     .type = FIELD_STR,                                                              \
			     .flags = (shown)&FIELD_ON_DEMAND,                                               \
			     .help = "name of the owning group" },                                           \
	[prefix##_UID] = { .name = "uid",                                                                    \
			   .type = FIELD_UID,                                                                \
			   .flags = (shown)&FIELD_ON_DEMAND,                                                 \
			   .help = "number of the owning user" },                                            \
	[prefix##_GID] = { .name = "gid",                                                                    \
			   .type = FIELD_GID,                                                                \
			   .flags = (shown)&FIELD_ON_DEMAND,                                                 \
			   .help = "number of the owning group" },                                           \
	[prefix##_MODE] = { .name = "mode",                                                                  \
			    .type = FIELD_MODE,                                                              \
			    .flags = (shown),                                                                \
			    .help = "permission bits, octal" },                                              \
	[prefix##_ATIME] = { .name = "atime",                                                                \
			     .type = FIELD_TIME,                                                             \
			     .flags = (shown)&FIELD_ON_DEMAND,                                               \
			     .help = "last access, as the kernel keeps it" },                                \
	[prefix##_MTIME] = { .name = "mtime",                                                                \
			     .type = FIELD_TIME,                                                             \
			     .flags = (shown)&FIELD_ON_DEMAND,                                               \
			     .help = "last change of its contents, or its creation" },                       \
	[prefix##_CTIME] = { .name = "ctime",                                                                \
			     .type = FIELD_TIME,                                                             \
			     .flags = (shown)&FIELD_ON_DEMAND,                                               \
			     .help = "last change of its inode" },                                           \
	[prefix##_AGE] = { .name = "age",                                                                    \
			   .type = FIELD_DURATION,                                                           \
			   .flags = (shown),                                                                 \
			   .help = "time since the newest of its time stamps" }
#define HELD_STAT_AT(prefix)                                                                                 \
	{                                                                                                    \
		{ prefix##_OWNER, prefix##_GROUP, prefix##_UID, prefix##_GID, prefix##_MODE },               \
			prefix##_ATIME, prefix##_MTIME, prefix##_CTIME, prefix##_AGE                         \
	}

static inline size_t held_count(const struct snapshot *s, enum object_class class)
{
	return s->holders.classes[class].count;
}

/* kind, state and holders of an object; *count says what was found. 0 or -ENOMEM. The
 * reference is the kind's own. */
int held_project(struct projector *p, struct record *r, const struct held_fields *at,
		 const struct holding *first, const struct holding_roles *roles,
		 struct holding_count *count) _must_check_;
/* What stat(2) tells of owner, mode and times. */
void record_stat(struct projector *p, struct record *r, const struct stat_fields *at,
		 const struct statx *stx);
/* The same of a file that the walk noted; unknown with EPERM if it could not be described. */
void record_found(struct projector *p, struct record *r, const struct stat_fields *at,
		  const struct found_file *file);
/* What the error of object_look() and the like makes of the wanted ones of the fields [from, to]:
 * PROJECT_SKIP if nobody holds the object any more, else 0 with the fields unknown. */
int held_unreadable(struct projector *p, struct record *r, size_t from, size_t to, int error);
/* The reference of an object that is known by a number: "KIND:NUMBER". */
void record_number_ref(struct record *r, size_t field, uint64_t number);
/* "MAJ:MIN" of a device of makedev(3). */
void record_device(struct record *r, size_t field, uint64_t dev);

/* As kind->resolve, of objects that are known by a number: `what` is what it is called.
 * Of classes with a device, those of the kernel's own memory. */
int held_resolve(struct snapshot *s, enum object_class class, struct span id, const char *what,
		 struct matches *m, struct report *report) _must_check_;
/* Adds the object of that key, if there is one. 0 or -ENOMEM. */
int held_match(struct snapshot *s, const struct object_key *key, struct matches *m) _must_check_;
/* "MAJ:MIN:INODE". 0 or -EINVAL. */
int parse_file_key(struct span id, uint64_t *dev, uint64_t *ino) _must_check_;
/*
 * A file of the user's: its device and inode as the walk keys it, by stat(2) or (as_mapped)
 * as /proc/PID/maps shows them. 0 or -errno.
 */
int path_key(struct span path, bool as_mapped, uint64_t *dev, uint64_t *ino) _must_check_;
