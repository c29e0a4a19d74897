/* SPDX-License-Identifier: MIT */
/* FIFOs and socket files: below directories that the user named, and files that he named. */
#pragma once

#include "lib/arena.h"
#include "model/warnings.h"
#include "scan/names.h"
#include "scan/statx.h"

struct path_file {
	struct span path; /* as the user would open it, terminated */
	uint64_t dev, ino;
	uint32_t mode, uid, gid;
	int64_t atime, mtime, ctime;
};

/* A path of the user's. */
struct named_file {
	struct span path;
	size_t file; /* index */
};

struct path_files {
	struct path_file *items;
	size_t count;
	size_t nfifos;	   /* of them */
	struct hash index; /* device and inode -> file */
	struct named_file *named;
	size_t nnamed;
	struct hash names; /* path of one that was named -> its index */
	struct arena arena;
};

/*
 * Looks below the directories, on the file system of each, and at the files themselves;
 * symbolic links are not followed below them, and a file with two names is taken
 * once. The names are terminated. What is not there leaves a warning. 0 or -ENOMEM.
 */
int path_files_read(struct path_files *p, const struct name_list *directories, const struct name_list *files,
		    struct warnings *warnings) _must_check_;
/* Adds a file that was found otherwise, at its path, unless it is there. 0 or -ENOMEM. */
int path_files_add(struct path_files *p, struct span path, const struct statx *stx) _must_check_;
/* The file with these numbers, or NULL. */
const struct path_file *path_files_find(const struct path_files *p, uint64_t dev, uint64_t ino);
/* The file that was named so, or NULL. */
const struct path_file *path_files_named(const struct path_files *p, struct span path);
void path_files_free(struct path_files *p);
