/* SPDX-License-Identifier: MIT */
/*
 * Fields: the one description of what an object has. Parsing of filters, every
 * output format, --help, the manual's lists and the JSON Schema come from these
 * tables; nothing is typed twice.
 */
#pragma once

#include "lib/base.h"

enum field_type {
	FIELD_U64,	/* a count */
	FIELD_I64,	/* a signed number */
	FIELD_BYTES,	/* u64, bytes; tables scale it */
	FIELD_PERCENT,	/* u64, hundredths of a percent */
	FIELD_UID,	/* u64 */
	FIELD_GID,	/* u64 */
	FIELD_PID,	/* u64 */
	FIELD_MODE,	/* u64, permission bits; "0600" */
	FIELD_KEY,	/* u64, 32 bits; "0x0000162e" */
	FIELD_TIME,	/* i64, seconds since the epoch */
	FIELD_DURATION, /* u64, seconds */
	FIELD_STR,	/* bytes */
	FIELD_REF,	/* bytes that every command takes back */
	FIELD_BLOB,	/* bytes of an object's contents; text output dumps them */
	FIELD_BOOL,
	FIELD_LIST, /* records of the schema `items` */
};

enum field_flag {
	FIELD_DEFAULT = 1 << 0,	  /* a column of its own kind's table */
	FIELD_MIXED = 1 << 1,	  /* a column of a table of several kinds */
	FIELD_ON_DEMAND = 1 << 2, /* costs a call per object or leaves a trace: read by
				     describe, or when named */
	FIELD_GAUGE = 1 << 3,	  /* a number worth monitoring */
	FIELD_SHRINK = 1 << 4,	  /* a table on a terminal may cut it */
	FIELD_EXPLICIT = 1 << 5,  /* needs an option of its own even in describe */
	FIELD_STOPS = 1 << 6,	  /* with that: reading it stops a process for a moment (--queue) */
	FIELD_IDENTITY = 1 << 7,  /* never changes while the object lives: where it differs under the same
				     reference, another object has taken the place */
};

struct schema;

struct field {
	const char *name;
	enum field_type type;
	unsigned flags;
	unsigned sources;	    /* what the scan must gather for it; see scan/scan.h */
	const char *const *values;  /* FIELD_STR: its only values, plain words, NULL-terminated; or NULL */
	const struct schema *items; /* FIELD_LIST */
	const char *help;	    /* one line */
};

/* The table of one kind of record. At most 64 fields. */
struct schema {
	const char *name; /* "sysv-shm" */
	const struct field *fields;
	size_t nfields;
};

/* A set of fields of one schema. */
struct fieldset {
	uint64_t bits;
};

static inline bool wants(struct fieldset set, size_t field)
{
	return set.bits >> field & 1;
}

/* Whether any field of [first, last] is wanted. */
static inline bool wants_any(struct fieldset set, size_t first, size_t last)
{
	return (set.bits >> first & (UINT64_MAX >> (63 - (last - first)))) != 0;
}

/* Index of the field called name, or -1. */
int schema_find(const struct schema *schema, struct span name);
/* Every field that has none of the flags in `without`. */
struct fieldset schema_set(const struct schema *schema, unsigned without);
/* The sources that the fields of set need, or-ed together. */
unsigned schema_sources(const struct schema *schema, struct fieldset set);
/* Whether the type's value is a number (compares and sums as one). */
bool field_is_number(enum field_type type);
