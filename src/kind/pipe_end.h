/* SPDX-License-Identifier: MIT */
/* What pipes and FIFOs share: both are pipes to the kernel (pipe(7)). */
#pragma once

#include "kind/held.h"

struct pipe_fields {
	size_t readers, writers;
	size_t packet, queued, capacity, ends; /* in this order, next to each other */
};

extern const char *const pipe_ends_values[];
extern const struct holding_roles pipe_roles;
extern const struct channel pipe_channel;

#define PIPE_READERS                                                                                         \
	{                                                                                                    \
		.name = "readers", .type = FIELD_U64, .flags = FIELD_DEFAULT, .sources = SOURCE_ACCESS,      \
		.help = "descriptors open for reading"                                                       \
	}
#define PIPE_WRITERS                                                                                         \
	{                                                                                                    \
		.name = "writers", .type = FIELD_U64, .flags = FIELD_DEFAULT, .sources = SOURCE_ACCESS,      \
		.help = "descriptors open for writing"                                                       \
	}
#define PIPE_PACKET                                                                                          \
	{                                                                                                    \
		.name = "packet", .type = FIELD_BOOL, .flags = FIELD_ON_DEMAND, .sources = SOURCE_ACCESS,    \
		.help = "packet mode (O_DIRECT)"                                                             \
	}
#define PIPE_QUEUED                                                                                          \
	{                                                                                                    \
		.name = "queued", .type = FIELD_BYTES, .flags = FIELD_ON_DEMAND | FIELD_GAUGE,               \
		.sources = SOURCE_ACCESS, .help = "bytes waiting in it"                                      \
	}
#define PIPE_CAPACITY                                                                                        \
	{                                                                                                    \
		.name = "capacity", .type = FIELD_BYTES, .flags = FIELD_ON_DEMAND, .sources = SOURCE_ACCESS, \
		.help = "bytes that it can hold"                                                             \
	}
#define PIPE_ENDS                                                                                            \
	{                                                                                                    \
		.name = "ends", .type = FIELD_STR, .flags = FIELD_ON_DEMAND, .values = pipe_ends_values,     \
		.sources = SOURCE_ACCESS, .help = "whether both ends are open, as the kernel has it"         \
	}

/* Fills the wanted ones of those fields. 0 or PROJECT_SKIP. */
int pipe_project(struct projector *p, struct record *r, const struct pipe_fields *at,
		 const struct holding *first, const struct holding_count *count);
