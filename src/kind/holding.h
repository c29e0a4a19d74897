/* SPDX-License-Identifier: MIT */
/* Who holds an object, as fields of its record. */
#pragma once

#include "kind/common.h"

/* Rows {pid, start_time, command, user, tid, fd, address, offset, access, role}. */
extern const struct schema holder_schema;
/* Words for enum holding_access, by its values. */
extern const char *const access_values[];

#define COMMON_NHOLDERS                                                                                      \
	{                                                                                                    \
		.name = "nholders", .type = FIELD_U64, .flags = FIELD_DEFAULT | FIELD_MIXED | FIELD_GAUGE,   \
		.sources = SOURCE_HOLDERS, .help = "processes in sight that hold it"                         \
	}
#define COMMON_HOLDERS                                                                                       \
	{                                                                                                    \
		.name = "holders", .type = FIELD_LIST, .sources = SOURCE_HOLDERS | SOURCE_ACCESS,            \
		.items = &holder_schema,                                                                     \
		.help = "each holding: process, descriptor or addresses, access, role"                       \
	}

/* What a holding is called; a descriptor has fd >= 0. */
struct holding_roles {
	const char *reader, *writer, *both; /* of a descriptor, by what it is open for */
	const char *mapped;
	const char *master; /* of a pseudo-terminal */
};

struct holding_fields {
	size_t nholders, holders;
};

/* What the walk found of one object. */
struct holding_count {
	uint64_t processes;
	uint64_t mappings;
	uint64_t readers, writers; /* descriptors, by what they are open for, if that was looked at */
	bool known;		   /* everybody in sight was read */
	bool all;		   /* and nobody can be out of sight: what was not found is not there */
};

/* Counts the holders of an object, from its first holding (or NULL) on. */
struct holding_count holding_count_from(struct projector *p, const struct holding *first);
/* The same, looked up. */
struct holding_count holding_count(struct projector *p, const struct object_key *key);
/*
 * The process of an object's first holding, if all of its holdings are descriptors of O_PATH, which reach
 * no data; else, or where that cannot be told, NULL.
 */
const struct holder *holding_paths_only(struct projector *p, const struct object_key *key);
/* A number of descriptors that were found. None is unknown where somebody may be out of sight. */
void record_found_number(struct record *r, size_t field, uint64_t n, const struct holding_count *count);
/* Something that was summed up over all holders: unknown where one of those in sight could not be read. */
void record_known_number(struct record *r, size_t field, uint64_t n, const struct holding_count *count);
/* State and reason as far as holders tell: in-use, or unknown. */
void record_held_state(struct projector *p, struct record *r, size_t state, size_t reason, bool deleted,
		       const struct holding_count *found);
/*
 * Fills both fields. Where somebody may have been missed the number is unknown. 0 or
 * -ENOMEM.
 */
int record_holders(struct projector *p, struct record *r, const struct holding_fields *at,
		   const struct object_key *key, const struct holding_count *count,
		   const struct holding_roles *roles) _must_check_;
/* The same for kinds whose objects are found through their holders. */
int record_holders_from(struct projector *p, struct record *r, const struct holding_fields *at,
			const struct holding *first, const struct holding_count *count,
			const struct holding_roles *roles) _must_check_;
/* Appends rows for the holdings from `first` on to a list of r's. 0 or -ENOMEM. */
int holders_list(struct projector *p, struct record *r, struct list *list, const struct holding *first,
		 const struct holding_roles *roles) _must_check_;
