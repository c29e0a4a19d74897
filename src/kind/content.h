/* SPDX-License-Identifier: MIT */
/* The bytes of a memory object as a list of extents, holes left out. */
#pragma once

#include "kind/kind.h"

/* How much of the object the list of extents is about: less than its size if it was cut. */
#define COMMON_CONTENT_READ                                                                                  \
	{                                                                                                    \
		.name = "content_read", .type = FIELD_BYTES, .flags = FIELD_EXPLICIT,                        \
		.help = "bytes that content is about, holes included; less than size: it was cut"            \
	}

/* Rows {offset, size, data}. */
extern const struct schema content_schema;

/* Appends one extent to the list at field (made if it is absent). 0 or -ENOMEM. */
int content_add(struct record *r, size_t field, uint64_t offset, struct span data) _must_check_;
/*
 * Reads at most max bytes of an open file of the given size, passively: pread(2) only,
 * and only where there is data, so that no page is allocated. The value becomes
 * unknown if reading fails; read_field says up to where it was looked. 0 or -ENOMEM.
 */
int content_read_file(struct record *r, size_t field, size_t read_field, int fd, uint64_t size,
		      uint64_t max) _must_check_;
