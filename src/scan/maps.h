/* SPDX-License-Identifier: MIT */
/* Lines of /proc/PID/maps (proc(5)). */
#pragma once

#include "lib/base.h"

struct map_line {
	uint64_t start, end; /* addresses */
	bool read, write, shared;
	uint64_t offset; /* in the file, bytes */
	uint64_t major, minor, inode;
	struct span path; /* as printed: newline is \012, and nothing else is escaped */
};

/* 0 or -EINVAL. path points into line. */
int maps_parse(struct span line, struct map_line *out) _must_check_;
/* The mapping of this process that begins at an address; its path is empty. 0, -ENOENT or -errno. */
int maps_find_own(const void *address, struct map_line *out) _must_check_;
