/* SPDX-License-Identifier: MIT */
/* All kinds, in the order in which they are listed. */
#pragma once

#include "kind/kind.h"

#define KINDS(X)                                                                                             \
	X(sysv_shm)                                                                                          \
	X(sysv_sem)                                                                                          \
	X(sysv_msg)                                                                                          \
	X(posix_shm)                                                                                         \
	X(posix_sem)                                                                                         \
	X(posix_mq)                                                                                          \
	X(pipe)                                                                                              \
	X(fifo)                                                                                              \
	X(unix_socket)                                                                                       \
	X(inet_socket)                                                                                       \
	X(memfd)                                                                                             \
	X(eventfd)                                                                                           \
	X(pty)                                                                                               \
	X(file_mapping)                                                                                      \
	X(anon_mapping)                                                                                      \
	X(flock)                                                                                             \
	X(record_lock)                                                                                       \
	X(lease)                                                                                             \
	X(futex)                                                                                             \
	X(signal)

#define DECLARE_KIND(name) extern const struct kind kind_##name;
KINDS(DECLARE_KIND)
#undef DECLARE_KIND

/* All kinds, NULL-terminated, built or not. */
extern const struct kind *const kinds[];

/* A group of kinds as the user types it. */
struct kind_group_name {
	const char *name;
	unsigned group; /* of enum kind_group; 0: every kind */
};

/* Terminated by a NULL name. */
extern const struct kind_group_name kind_groups[];

/* The kind with this name or alias, or NULL. */
const struct kind *kind_find(struct span name);
/* The group with this name, or NULL. */
const struct kind_group_name *kind_group_find(struct span name);
/* The built kind, or the group, that a mistyped word is nearest to, or NULL. */
const char *kind_suggest(const char *word, bool groups_too);
/* Whether kind belongs to the group. */
bool kind_in_group(const struct kind *k, const struct kind_group_name *g);
