/* SPDX-License-Identifier: MIT */
/*
 * What is gathered without a walk over processes: each fills its part of a snapshot. What cannot
 * be read leaves that empty, and a warning. 0 or -ENOMEM.
 */
#pragma once

#include "scan/scan.h"

int source_sysv(struct snapshot *s, enum sysv_kind kind, struct warnings *warnings) _must_check_;
/* names: those that are wanted; NULL: nothing in it is, but itself. */
int source_shmtree(struct snapshot *s, const struct name_list *names, struct warnings *warnings) _must_check_;
int source_mqueue(struct snapshot *s, const struct name_list *names, struct warnings *warnings) _must_check_;
/* What an error, or something odd, of them means to the user. */
void source_sysv_warn(enum sysv_kind kind, int error, uint32_t bad_rows, struct warnings *warnings);
void source_mqueue_warn(int error, bool uncertain, struct warnings *warnings);
/* What is wanted of each unix socket: of enum unix_detail, or-ed together. */
unsigned source_unix_details(const struct snapshot *s);
/* SOURCE_UNIX or SOURCE_INET. */
int source_sockets(struct snapshot *s, enum source source, struct warnings *warnings) _must_check_;
int source_locks(struct snapshot *s, struct warnings *warnings) _must_check_;
