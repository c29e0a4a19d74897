/* SPDX-License-Identifier: MIT */
/* What shared mappings of files and anonymous ones have in common. */
#pragma once

#include "kind/held.h"

/* The field tables of both kinds start with these. */
enum mapping_field {
	MAP_KIND,
	MAP_REF,
	MAP_OWN, /* a field that the other kind has not */
	MAP_DEVICE,
	MAP_INODE,
	MAP_MAPPINGS,
	MAP_WRITABLE,
	MAP_MAPPED,
	MAP_RSS,
	MAP_PSS,
	MAP_SWAP,
	MAP_MEMORY,
	MAP_SIZE,
	MAP_ALLOCATED,
	MAP_OWNER,
	MAP_GROUP,
	MAP_UID,
	MAP_GID,
	MAP_MODE,
	MAP_ATIME,
	MAP_MTIME,
	MAP_CTIME,
	MAP_AGE,
	MAP_NHOLDERS,
	MAP_HOLDERS,
	MAP_STATE,
	MAP_REASON,
	MAP_NEXT,
};

extern const struct schema mapping_memory_schema;

#define MAPPING_FIELDS(kind)                                                                                 \
	[MAP_KIND] = COMMON_KIND(kind), [MAP_REF] = COMMON_REF,                                              \
	[MAP_DEVICE] = { .name = "device",                                                                   \
			 .type = FIELD_STR,                                                                  \
			 .help = "device number as /proc/PID/maps shows it, MAJOR:MINOR" },                  \
	[MAP_INODE] = { .name = "inode", .type = FIELD_U64, .help = "inode number" },                        \
	[MAP_MAPPINGS] = { .name = "mappings",                                                               \
			   .type = FIELD_U64,                                                                \
			   .flags = FIELD_DEFAULT,                                                           \
			   .help = "mappings of it (a process may have several)" },                          \
	[MAP_WRITABLE] = { .name = "writable", .type = FIELD_U64, .help = "those that may write" },          \
	[MAP_MAPPED] = { .name = "mapped",                                                                   \
			 .type = FIELD_BYTES,                                                                \
			 .flags = FIELD_DEFAULT,                                                             \
			 .help = "from the first to the last of its bytes that is mapped" },                 \
	[MAP_RSS] = { .name = "rss",                                                                         \
		      .type = FIELD_BYTES,                                                                   \
		      .flags = FIELD_ON_DEMAND | FIELD_GAUGE,                                                \
		      .help = "resident memory, counted once in each process" },                             \
	[MAP_PSS] = { .name = "pss",                                                                         \
		      .type = FIELD_BYTES,                                                                   \
		      .flags = FIELD_ON_DEMAND | FIELD_GAUGE,                                                \
		      .help = "proportional memory: what its mappings cost together" },                      \
	[MAP_SWAP] = { .name = "swap",                                                                       \
		       .type = FIELD_BYTES,                                                                  \
		       .flags = FIELD_ON_DEMAND | FIELD_GAUGE,                                               \
		       .help = "swapped out, counted once in each process" },                                \
	[MAP_MEMORY] = { .name = "memory",                                                                   \
			 .type = FIELD_LIST,                                                                 \
			 .flags = FIELD_ON_DEMAND,                                                           \
			 .items = &mapping_memory_schema,                                                    \
			 .help = "the same of each mapping" },                                               \
	[MAP_SIZE] = { .name = "size",                                                                       \
		       .type = FIELD_BYTES,                                                                  \
		       .flags = FIELD_ON_DEMAND | FIELD_GAUGE,                                               \
		       .help = "length of the object" },                                                     \
	[MAP_ALLOCATED] = { .name = "allocated",                                                             \
			    .type = FIELD_BYTES,                                                             \
			    .flags = FIELD_ON_DEMAND,                                                        \
			    .help = "memory or disk space that it takes" },                                  \
	HELD_STAT_FIELDS(MAP, FIELD_ON_DEMAND), [MAP_NHOLDERS] = COMMON_NHOLDERS,                            \
	[MAP_HOLDERS] = COMMON_HOLDERS, [MAP_STATE] = COMMON_STATE, [MAP_REASON] = COMMON_REASON

/* Fills those fields but the reference, of the object whose first holding is given. As
 * kind->project. */
int mapping_project(struct projector *p, struct record *r, const struct holding *first) _must_check_;
