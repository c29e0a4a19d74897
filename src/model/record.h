/* SPDX-License-Identifier: MIT */
/*
 * A record: the values of one object, in the order of its schema. A value is
 * absent (does not apply), unknown (could not be read; errno says why) or set.
 */
#pragma once

#include "lib/arena.h"
#include "model/field.h"

enum value_state { VALUE_ABSENT, VALUE_UNKNOWN, VALUE_SET };

/* Why a value is unknown, where no errno says it. */
enum why {
	WHY_TOLD = 0,		 /* the warning about its source says it */
	WHY_NEEDS_STATUS = -1,	 /* reading it moves time stamps */
	WHY_NEEDS_CONTENT = -5,	 /* read by describe --content only */
	WHY_NEEDS_QUEUE = -15,	 /* reading it stops a process */
	WHY_TRACED = -16,	 /* hidden: another process traces this one */
	WHY_NOT_STOPPED = -17,	 /* hidden: it sleeps so that nothing can stop it, or has ended */
	WHY_NOT_ATTACHED = -2,	 /* only a process that has it attached could tell */
	WHY_LEASED = -7,	 /* hidden: somebody holds a lease on the file */
	WHY_OTHER_SYSTEM = -8,	 /* --procfs: only the other system could be asked */
	WHY_OTHER_PIDS = -6,	 /* hidden: this /proc is that of another PID namespace */
	WHY_NO_NAME = -4,	 /* nothing leads to it but its holders */
	WHY_KERNEL_TOO_OLD = -9, /* hidden: a newer kernel would tell */
	WHY_TOO_LONG = -10,	 /* the kernel shows it to nobody: a path over 4095 bytes */
	WHY_OTHER_MOUNTS = -11,	 /* hidden: it lies in a mount namespace that is not ours */
	WHY_NO_WRITER = -12,	 /* only a descriptor that writes could tell, and none was found */
	WHY_NOT_LOOKED = -13,	 /* hidden: only processes tell it, and they were not looked at */
	WHY_NOT_UNDERSTOOD = -18, /* hidden: what a task waits for cannot be understood */
	WHY_NOT_AT_HAND = -19,	 /* it is not in memory, or reading it might wait for a file system */
	WHY_TOO_QUICK = -14,	 /* hidden: its holders changed faster than they could be asked */
	WHY_PROC_HIDES = -20,	 /* hidden: /proc does not show the process that it is about (hidepid) */
	WHY_CLOCK_SET = -21,	 /* the clock may have been set since: times cannot be compared */
	WHY_MOVES_ATIME = -3,	 /* permission hides it: reading would move the access time */
};

struct list;

struct value {
	enum value_state state;
	int error; /* unknown: errno, positive, or of enum why */
	union {
		uint64_t u64;	   /* all unsigned numbers */
		int64_t i64;	   /* FIELD_I64, FIELD_TIME */
		bool flag;	   /* FIELD_BOOL */
		struct span str;   /* FIELD_STR, FIELD_REF, FIELD_BLOB: raw bytes */
		struct list *list; /* FIELD_LIST */
	};
};

struct record {
	const struct schema *schema;
	struct value *values; /* schema->nfields of them */
	struct arena *arena;  /* where strings and lists of this record live */
	bool unknowns;	      /* some value is unknown */
};

/* Rows of a FIELD_LIST. Each row is a record of its own schema. */
struct list {
	const struct schema *schema;
	struct value *cells; /* count * schema->nfields */
	size_t count;
	size_t cap;
};

/* A record of this schema with all values absent, in the arena. 0 or -ENOMEM. */
int record_init(struct record *r, const struct schema *schema, struct arena *arena) _must_check_;
/* Sets all values absent. Does not touch the arena. */
void record_clear(struct record *r);

static inline void record_u64(struct record *r, size_t field, uint64_t v)
{
	r->values[field].state = VALUE_SET;
	r->values[field].u64 = v;
}

static inline void record_i64(struct record *r, size_t field, int64_t v)
{
	r->values[field].state = VALUE_SET;
	r->values[field].i64 = v;
}

static inline void record_bool(struct record *r, size_t field, bool v)
{
	r->values[field].state = VALUE_SET;
	r->values[field].flag = v;
}

/* The bytes must live as long as the record: in its arena, in the snapshot, or for ever. */
static inline void record_str(struct record *r, size_t field, struct span s)
{
	r->values[field].state = VALUE_SET;
	r->values[field].str = s;
}

static inline void record_text(struct record *r, size_t field, const char *s)
{
	record_str(r, field, span_of(s));
}

/* error: errno or -errno of what failed. That memory ran out the arena remembers, too: such a record is not to
 * be shown. */
void record_unknown(struct record *r, size_t field, int error);
void record_unknown_why(struct record *r, size_t field, enum why why);
/* A formatted string; unknown with ENOMEM if memory runs out. */
void record_printf(struct record *r, size_t field, const char *fmt, ...) _printf_(3, 4);

/* An empty list value of the field's item schema, or NULL (then the value is
 * unknown with ENOMEM). */
struct list *record_list(struct record *r, size_t field);
/* Appends a row to a list of r's and points row at it, all values absent. 0 or -ENOMEM. */
int list_append(struct record *r, struct list *list, struct record *row) _must_check_;
/* Points row at the i-th row of list. */
void list_row(const struct list *list, size_t i, struct record *row);

/* Copies v (of type) so that it lives in the arena. On lack of memory the copy
 * is unknown with ENOMEM. */
struct value value_copy(const struct value *v, const struct field *field, struct arena *arena);
/*
 * Orders two values of the same field. Absent and unknown sort behind all
 * others. <0, 0, >0 like memcmp(3).
 */
int value_compare(const struct field *field, const struct value *a, const struct value *b);
