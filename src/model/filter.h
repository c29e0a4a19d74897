/* SPDX-License-Identifier: MIT */
/*
 * Filters: FIELD OP VALUE as one word. OP is = != < <= > >= ~ !~ (the last two
 * match a POSIX extended regular expression). = and != take several values
 * separated by commas. VALUE is spelled as the field's type is: sizes with
 * K M G T, durations with s m h d w, modes in octal, keys in hexadecimal, times
 * as seconds since the epoch, YYYY-MM-DD[THH:MM[:SS]] (local time) or -2h (two hours ago); "-" and
 * "?" stand for absent and unknown. Strings may be escaped as output escapes them.
 */
#pragma once

#include "model/view.h"

struct filter;

/* A list of filters, all of which must hold. Zero-initialise to make one. */
struct filters {
	struct filter *items;
	size_t count;
};

enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_UNKNOWN, /* the value that decides could not be read */
};

/*
 * Adds the filter spelled by text, for records of these schemas (which must
 * outlive it). 0, -EINVAL (error says what is wrong) or -ENOMEM.
 */
int filters_add(struct filters *f, const char *text, const struct schema *const *schemas, size_t nschemas,
		struct field_error *error) _must_check_;
/* Adds one that concerns records of this schema alone: all others pass it. */
int filters_add_for(struct filters *f, const char *text, const struct schema *const *schema,
		    struct field_error *error) _must_check_;
/* The fields of a schema that the filters look at. */
struct fieldset filters_fields(const struct filters *f, const struct schema *schema);
/* Whether a record of one of the schemas passes. */
enum match filters_match(const struct filters *f, const struct record *r);
void filters_free(struct filters *f);
