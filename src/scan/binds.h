/* SPDX-License-Identifier: MIT */
/*
 * Files and directories that are mounted elsewhere, too (mount --bind), in any mount namespace that a process
 * in sight is in (proc(5), /proc/PID/mountinfo). Namespaces of processes that may not be looked at are left
 * out.
 */
#pragma once

#include "lib/arena.h"
#include "scan/context.h"

struct bind_source {
	uint64_t dev;	  /* sb->s_dev */
	struct span path; /* from the root of the file system on */
};

struct bind_sources {
	struct bind_source *items;
	size_t count;
	struct arena arena;
	bool read;
	bool hidden; /* processes were left out that may not be looked at */
	int error;   /* 0, or -errno: those of this process's own namespace, or of one in sight, could not be
			read */
};

/* Reads them, once. */
void bind_sources_read(struct bind_sources *b, const struct scan_context *context);
/* Whether that file is one. path: without the leading slash. */
bool bind_sources_has(const struct bind_sources *b, uint64_t dev, struct span path);
void bind_sources_free(struct bind_sources *b);
