/* SPDX-License-Identifier: MIT */
/* All that speaks for or against the use of an object, as a list in its record. */
#pragma once

#include "kind/common.h"

/* Rows {source, found, shows}. */
extern const struct schema evidence_schema;

/* What a piece of it shows. */
enum shows {
	SHOWS_NOTHING, /* it could not be read, or is no proof */
	SHOWS_USE,     /* somebody has it */
	SHOWS_RETURN,  /* somebody could come back to it */
	SHOWS_DISUSE,  /* on this side there is nobody */
};

/* Where a record keeps no evidence. */
#define NO_EVIDENCE ((size_t)64)

#define COMMON_EVIDENCE_FROM(needs)                                                                          \
	{                                                                                                    \
		.name = "evidence", .type = FIELD_LIST, .sources = (needs), .items = &evidence_schema,       \
		.help = "all that speaks for or against its use, and what it shows"                          \
	}
#define COMMON_EVIDENCE COMMON_EVIDENCE_FROM(SOURCE_HOLDERS)

/* Whether the list is wanted, in field. */
bool wants_evidence(const struct projector *p, size_t field);
/* Adds a row to the list, if it is wanted; without memory the whole is unknown. source lives for ever. */
void record_evidence(struct projector *p, struct record *r, size_t field, const char *source,
		     enum shows shows, const char *found, ...) _printf_(6, 7);
/* The list is unknown, if it is wanted: what belongs into it could not be asked, for this error (errno). */
void record_no_evidence(struct projector *p, struct record *r, size_t field, int error);
