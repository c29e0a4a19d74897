/* SPDX-License-Identifier: MIT */
/* FIFOs and socket files: below directories that the user named, and files that he named. */
#pragma once

#include "lib/arena.h"
#include "model/warnings.h"
#include "scan/names.h"

struct path_file {
	struct span path; /* as the user would open it, terminated */
	uint64_t dev, ino;
	uint32_t mode, uid, gid;
	int64_t atime, mtime, ctime;
};

struct path_files {
	struct path_file *items;
	size_t count;
	struct arena arena;
};

/*
 * Looks below the directories, on the file system of each, and at the files themselves;
 * symbolic links are not followed below them. What is not there leaves a warning. 0 or -ENOMEM.
 */
int path_files_read(struct path_files *p, const struct name_list *directories, const struct name_list *files,
		    struct warnings *warnings) _must_check_;
void path_files_free(struct path_files *p);
