/* SPDX-License-Identifier: MIT */
/* What FIFOs and socket files share: both are files somewhere. */
#pragma once

#include "kind/held.h"

/* "KIND:/path", and "KIND:MAJOR:MINOR:INODE". */
void record_path_ref(struct record *r, size_t field, struct span path);
void record_file_ref(struct record *r, size_t field, const struct object_key *key);
/* What stat(2) told of a file. */
void record_path_stat(struct projector *p, struct record *r, const struct stat_fields *at,
		      const struct path_file *file);
/* Unlinks the path if that very file is there. 0, -ENOENT, -ESTALE: another is, or -errno. */
int path_unlink(const char *path, uint64_t dev, uint64_t ino, struct report *report) _must_check_;
/* Makes a file of this type (S_IFIFO) at args->name, with args->mode and owner. 0 or -errno;
 * with args->exist_ok one of the type that is there already will do. */
int path_create(const struct create_args *args, mode_t type, struct report *report) _must_check_;
