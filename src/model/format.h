/* SPDX-License-Identifier: MIT */
/* Values as text: the one place where a number, size, time or mode is spelled. */
#pragma once

#include "lib/buf.h"
#include "model/record.h"

enum format_style {
	FORMAT_MACHINE,	    /* exact numbers, epoch seconds */
	FORMAT_HUMAN,	    /* 1.5M, 2026-11-20 20:10:49, 3h */
	FORMAT_HUMAN_BYTES, /* as HUMAN, but sizes in bytes */
};

/*
 * Appends the value: "-" for absent, "?" for unknown. Strings are escaped.
 * A list gives its rows separated by spaces, each row's columns by colons.
 */
void format_value(struct buf *b, const struct field *field, const struct value *v, enum format_style style);
/* "0x0000162e" of a key and "0600" of a mode, terminated; return the length. */
size_t format_key(char out[static 11], uint64_t key);
size_t format_mode(char out[static 6], uint64_t mode);
/* Appends a string as a cell: escaped; an empty one, "-" and "?" are told from
 * absent and unknown by a preceding backslash escape. */
void format_str(struct buf *b, struct span s);
/* 1023, 1.0K, 20M: at most four digits and a unit. */
void format_size(struct buf *b, uint64_t bytes);
/* 59s, 3m, 2h, 5d. */
void format_duration(struct buf *b, uint64_t seconds);
/* RFC 3339 in UTC: 2026-11-20T20:10:49Z. False if the year has more than four digits. */
bool format_rfc3339(struct buf *b, int64_t seconds);
