/* SPDX-License-Identifier: MIT */
/*
 * Which pseudo-terminal a master belongs to. Numbers of terminals mean something in one
 * instance of devpts only (Documentation/filesystems/devpts.rst).
 */
#pragma once

#include "scan/found.h"
#include "scan/statx.h"

/* Device numbers: Documentation/admin-guide/devices.txt. */
enum { PTY_SLAVE_MAJOR = 136, PTY_MASTER_MAJOR = 5, PTY_MASTER_MINOR = 2 };

struct terminals;

/*
 * Key of the terminal whose master is the descriptor `table`/fd/`name` of the process in
 * dir, opened by `path`; stx: what it is. *terminals keeps what the process's mounts tell.
 * 0, -ENODATA: it is no terminal yet, -EXDEV: its instance cannot be told, or -errno.
 */
int terminals_master(struct terminals **terminals, int dir, const char *table, const char *name,
		     const struct statx *stx, struct span path, struct object_key *key) _must_check_;
void terminals_free(struct terminals *terminals);
