/* SPDX-License-Identifier: MIT */
/* What the locks of files have in common: flock, record-lock, lease. */
#pragma once

#include "kind/held.h"

/* Which fields of a kind's table the common ones are. */
struct lock_fields {
	struct held_fields held;
	size_t path, device, inode, deleted, lock_mode, locker, command, waiters, waiting;
};

extern const char *const lock_mode_values[];
extern const struct schema lock_waiter_schema;

/* Those fields of a table whose enumerators are PREFIX_PATH and so on, but kind and reference; more:
 * sources that tell who waits. */
#define LOCK_FIELDS(prefix, more)                                                                            \
	[prefix##_PATH] = { .name = "path",                                                                  \
			    .type = FIELD_STR,                                                               \
			    .flags = FIELD_SHRINK,                                                           \
			    .sources = SOURCE_HOLDERS,                                                       \
			    .help = "path of the file, as it was opened" },                                  \
	[prefix##_DEVICE] = { .name = "device",                                                              \
			      .type = FIELD_STR,                                                             \
			      .help = "device number as /proc/locks shows it, MAJOR:MINOR" },                \
	[prefix##_INODE] = { .name = "inode",                                                                \
			     .type = FIELD_U64,                                                              \
			     .flags = FIELD_IDENTITY,                                                        \
			     .help = "inode number" },                                                       \
	[prefix##_DELETED] = { .name = "deleted",                                                            \
			       .type = FIELD_BOOL,                                                           \
			       .sources = SOURCE_HOLDERS,                                                    \
			       .help = "the file was unlinked, and is kept by its holders only" },           \
	[prefix##_LOCK_MODE] = { .name = "lock_mode",                                                        \
				 .type = FIELD_STR,                                                          \
				 .flags = FIELD_DEFAULT,                                                     \
				 .values = lock_mode_values,                                                 \
				 .help = "shared (read) or exclusive (write)" },                             \
	[prefix##_LOCKER] = { .name = "locker",                                                              \
			      .type = FIELD_PID,                                                             \
			      .flags = FIELD_DEFAULT,                                                        \
			      .help = "process that took it; others may have inherited it" },                \
	[prefix##_COMMAND] = { .name = "locker_command",                                                     \
			       .type = FIELD_STR,                                                            \
			       .flags = FIELD_DEFAULT | FIELD_SHRINK,                                        \
			       .help = "its command" },                                                      \
	[prefix##_WAITERS] = { .name = "waiters",                                                            \
			       .type = FIELD_U64,                                                            \
			       .flags = FIELD_DEFAULT | FIELD_GAUGE,                                         \
			       .sources = SOURCE_TASKS | (more),                                             \
			       .help = "tasks that wait for it" },                                           \
	[prefix##_WAITING] = { .name = "waiting",                                                            \
			       .type = FIELD_LIST,                                                           \
			       .sources = SOURCE_TASKS | (more),                                             \
			       .items = &lock_waiter_schema,                                                 \
			       .help = "each of those, in their order" },                                    \
	[prefix##_NHOLDERS] = COMMON_NHOLDERS, [prefix##_HOLDERS] = COMMON_HOLDERS,                          \
	[prefix##_STATE] = COMMON_STATE, [prefix##_REASON] = COMMON_REASON

#define LOCK_FIELDS_AT(prefix)                                                                               \
	{                                                                                                    \
		{ prefix##_KIND,                                                                             \
		  prefix##_REF,                                                                              \
		  { prefix##_NHOLDERS, prefix##_HOLDERS },                                                   \
		  prefix##_STATE,                                                                            \
		  prefix##_REASON },                                                                         \
			prefix##_PATH, prefix##_DEVICE, prefix##_INODE, prefix##_DELETED,                    \
			prefix##_LOCK_MODE, prefix##_LOCKER, prefix##_COMMAND, prefix##_WAITERS,             \
			prefix##_WAITING                                                                     \
	}

/* As kind->count and kind->held. Indices: first the locks that somebody holds, then the lines of
 * /proc/locks, which owns() drops where they are among the former. */
size_t lock_count(const struct snapshot *s);
const struct holding *lock_held(const struct snapshot *s, size_t i);
/* Whether index i is a lock of one of these types (1 << enum lock_type, or-ed together), and not
 * listed elsewhere. */
bool lock_owns(const struct snapshot *s, size_t i, unsigned types);
/* What was seen of it. */
struct lock lock_at(const struct snapshot *s, size_t i);
/* Whether locks of a type have a range. */
bool lock_has_range(enum lock_type type);
/* Appends "START-END". */
void lock_put_range(struct buf *b, const struct lock_line *line);
/* Fills the number of waiters and the list of them, if that is wanted. 0 or -ENOMEM. */
int lock_project_waiters(struct projector *p, struct record *r, const struct lock_fields *at,
			 const struct lock *lock) _must_check_;
/* Fills the common fields, and PROJECT_SKIP if it is gone. */
int lock_project(struct projector *p, size_t i, struct record *r, const struct lock_fields *at);

/* The bytes [start, end] of a record lock. */
struct lock_range {
	uint64_t start, end;
};

/* "START-END", the last byte included; END may be EOF. 0 or -EINVAL. */
int lock_range_parse(struct span text, struct lock_range *range) _must_check_;
/*
 * The locks of these types on a file: a path, or MAJOR:MINOR:INODE. range: those of that very
 * range only, or NULL. `like`: a reference that would be right. As kind->resolve.
 */
int lock_resolve(struct snapshot *s, struct span id, unsigned types, const struct lock_range *range,
		 const char *like, struct matches *m, struct report *report) _must_check_;
/* As kind->remove. */
int lock_remove(struct snapshot *s, size_t i, struct report *report);
