/* SPDX-License-Identifier: MIT */
/* What the field tables and projections of the kinds share. */
#pragma once

#include "kind/kind.h"

/* The values of `state`, for the field tables. */
extern const char *const state_values[];

/* Fields that mean the same in every kind. */
#define COMMON_KIND(word)                                                                                    \
	{                                                                                                    \
		.name = "kind", .type = FIELD_STR, .values = (const char *const[]){ (word), NULL },          \
		.help = "kind of object"                                                                     \
	}
#define COMMON_REF                                                                                           \
	{                                                                                                    \
		.name = "ref", .type = FIELD_REF, .flags = FIELD_DEFAULT | FIELD_MIXED | FIELD_SHRINK,       \
		.help = "reference that every command takes back"                                            \
	}
#define COMMON_OWNER                                                                                         \
	{                                                                                                    \
		.name = "owner", .type = FIELD_STR, .flags = FIELD_DEFAULT | FIELD_MIXED | FIELD_SHRINK,     \
		.help = "name of the owning user"                                                            \
	}
#define COMMON_GROUP                                                                                         \
	{                                                                                                    \
		.name = "group", .type = FIELD_STR, .help = "name of the owning group"                       \
	}
#define COMMON_UID                                                                                           \
	{                                                                                                    \
		.name = "uid", .type = FIELD_UID, .help = "number of the owning user"                        \
	}
#define COMMON_GID                                                                                           \
	{                                                                                                    \
		.name = "gid", .type = FIELD_GID, .help = "number of the owning group"                       \
	}
#define COMMON_MODE                                                                                          \
	{                                                                                                    \
		.name = "mode", .type = FIELD_MODE, .flags = FIELD_DEFAULT | FIELD_MIXED,                    \
		.help = "permission bits, octal"                                                             \
	}
#define COMMON_AGE                                                                                           \
	{                                                                                                    \
		.name = "age", .type = FIELD_DURATION, .flags = FIELD_DEFAULT | FIELD_MIXED,                 \
		.help = "time since the newest of its time stamps"                                           \
	}
#define COMMON_STATE_FROM(needs)                                                                             \
	{                                                                                                    \
		.name = "state", .type = FIELD_STR, .flags = FIELD_DEFAULT | FIELD_MIXED,                    \
		.sources = (needs), .values = state_values, .help = "verdict on its use"                     \
	}
#define COMMON_REASON_FROM(needs)                                                                            \
	{                                                                                                    \
		.name = "reason", .type = FIELD_STR, .flags = FIELD_SHRINK, .sources = (needs),              \
		.help = "why that state"                                                                     \
	}
#define COMMON_STATE COMMON_STATE_FROM(SOURCE_HOLDERS)
#define COMMON_REASON COMMON_REASON_FROM(SOURCE_HOLDERS)

/* Where a kind's table keeps the fields that record_owner() fills. */
struct owner_fields {
	size_t owner, group, uid, gid, mode;
};

/* The name of a user or group, if the field is wanted; unknown if it cannot be asked. */
void record_user(struct projector *p, struct record *r, size_t field, uint32_t uid);
/* In a row of a list, which is wanted as a whole: p->want is of the object's own fields. */
void record_row_user(struct projector *p, struct record *row, size_t field, uint32_t uid);
void record_group(struct projector *p, struct record *r, size_t field, uint32_t gid);
/* Says "owner NAME" and more: why the kernel refused to unlink. */
void report_owner(struct report *report, uint32_t uid, const char *more);
/* Owner and group with their names, and the permission bits. */
void record_owner(struct projector *p, struct record *r, const struct owner_fields *at, uint32_t uid,
		  uint32_t gid, uint32_t mode);
/* Seconds from the newest of the times to now, not less than 0; absent if newest is 0. */
void record_age(const struct projector *p, struct record *r, size_t field, int64_t newest);
/* A time stamp; absent if the kernel says 0 ("never"). */
void record_time(struct record *r, size_t field, int64_t t);
/* clock_order() of a process of that number and a time that an object records; earliest: of
 * process_earliest(). */
enum clock_order process_order(struct projector *p, uint32_t pid, int64_t earliest, int64_t recorded);
/* A process number into field and its command into the next field; absent if pid
 * is 0; the command is absent if that process is gone or was started after
 * `before` (then it is another process of the same number), and unknown if the clock may have been set so
 * that this cannot be told. */
void record_pid(struct projector *p, struct record *r, size_t field, uint32_t pid, int64_t before);
/* A copy of what was put together; unknown with ENOMEM if memory ran out. */
void record_buf(struct record *r, size_t field, const struct buf *b);
/* State, one of state_values, and the short phrase that gives the reason. */
void record_state(struct projector *p, struct record *r, size_t state, const char *value, size_t reason,
		  const char *fmt, ...) _printf_(6, 7);

/* The ending of a noun after n: "" after 1, else "s". */
const char *plural(uint64_t n);

/* "USER[:GROUP]" or ":GROUP"; an id that is not given becomes (uint32_t)-1. 0, or
 * -EINVAL with report->text. */
int parse_owner(const char *text, uint32_t *uid, uint32_t *gid, struct report *report) _must_check_;
/* The permissions asked for, or 0600. */
unsigned create_mode(const struct create_args *args);

/* A number file below /proc/sys, as a limit's value; unknown if it cannot be read. */
void limit_sysctl(struct snapshot *s, const char *path, size_t word, struct value *out);
static inline struct value value_u64(uint64_t v)
{
	return (struct value){ .state = VALUE_SET, .u64 = v };
}

/* Options that several kinds' create tables share. */
#define CREATE_OPT_MODE                                                                                      \
	{                                                                                                    \
		.name = "mode", .type = OPT_MODE, .arg = "MODE",                                             \
		.offset = offsetof(struct create_args, mode),                                                \
		.help = "permission bits, whatever the umask (default 600)"                                  \
	}
#define CREATE_OPT_OWNER                                                                                     \
	{                                                                                                    \
		.name = "owner", .type = OPT_STRING, .arg = "USER[:GROUP]",                                  \
		.offset = offsetof(struct create_args, owner), .complete = COMPLETE_USER,                    \
		.help = "give it to this user and group"                                                     \
	}
#define CREATE_OPT_EXIST_OK                                                                                  \
	{                                                                                                    \
		.name = "exist-ok", .type = OPT_FLAG, .offset = offsetof(struct create_args, exist_ok),      \
		.help = "succeed if it exists already; it is not changed"                                    \
	}
