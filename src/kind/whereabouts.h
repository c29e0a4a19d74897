/* SPDX-License-Identifier: MIT */
/* Where an object belongs: its namespace, and the container and unit of who holds it. */
#pragma once

#include "kind/kind.h"

/* At the end of every field table; those of kinds whose objects belong to a namespace begin with its number.
 */
#define WHEREABOUTS_FROM(needs)                                                                              \
	{ .name = "container",                                                                               \
	  .type = FIELD_STR,                                                                                 \
	  .flags = FIELD_ON_DEMAND | FIELD_SHRINK,                                                           \
	  .sources = (needs),                                                                                \
	  .help = "container of who holds it first, or of its namespace" },                                  \
		{ .name = "container_id",                                                                    \
		  .type = FIELD_STR,                                                                         \
		  .flags = FIELD_ON_DEMAND | FIELD_SHRINK,                                                   \
		  .sources = (needs),                                                                        \
		  .help = "what the container's runtime calls it" },                                         \
	{                                                                                                    \
		.name = "unit", .type = FIELD_STR, .flags = FIELD_ON_DEMAND | FIELD_SHRINK,                  \
		.sources = (needs), .help = "unit of systemd of who holds it first"                          \
	}
#define WHEREABOUTS WHEREABOUTS_FROM(SOURCE_HOLDERS)
#define IPCNS_FIELD                                                                                          \
	{                                                                                                    \
		.name = "ipcns", .type = FIELD_U64, .help = "IPC namespace that it belongs to"               \
	}
#define WHEREABOUTS_IPC IPCNS_FIELD, WHEREABOUTS
/* Of kinds whose users nobody can tell. */
#define WHEREABOUTS_IPC_ALONE IPCNS_FIELD, WHEREABOUTS_FROM(0)
#define WHEREABOUTS_SHM                                                                                      \
	{ .name = "mntns",                                                                                   \
	  .type = FIELD_U64,                                                                                 \
	  .help = "mount namespace whose /dev/shm it was found in; others may have the same" },              \
		WHEREABOUTS
#define WHEREABOUTS_NET                                                                                      \
	{ .name = "netns", .type = FIELD_U64, .help = "network namespace that it belongs to" }, WHEREABOUTS

/* The number of a namespace, or why it is not known; nothing where the kernel has none. */
void record_place(struct record *r, size_t field, const struct place_namespace *ns);
/* Fills those fields of a record that are wanted, and puts the number of the namespace into references of one
 * that is not this process's. view: what the record was made from, index: there. 0 or -ENOMEM. */
int record_whereabouts(const struct kind *k, struct projector *p, const struct snapshot *view, size_t index,
		       struct record *r) _must_check_;
