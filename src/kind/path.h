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
/* Notes why nothing was found at a path, if that is not because there is nothing. 0 or -ENOMEM. */
int path_unreached(struct span path, struct matches *m) _must_check_;
/*
 * The directory of a path as a descriptor (O_PATH), or -errno; *leaf: the name behind it, a part
 * of the path. What is made, changed and removed by way of it is in that very directory,
 * whatever others do with the path meanwhile.
 */
int path_parent(const char *path, const char **leaf) _must_check_;
/* Unlinks a name of that directory if that very file is there. As path_unlink(); report may
 * be NULL. */
int path_unlink_at(int parent, const char *leaf, uint64_t dev, uint64_t ino,
		   struct report *report) _must_check_;
/* Unlinks the path if that very file is there. 0, -ENOENT, -ESTALE: another is, or -errno. */
int path_unlink(const char *path, uint64_t dev, uint64_t ino, struct report *report) _must_check_;
/* Makes a file of this type (S_IFIFO) at args->name, with args->mode and owner. 0 or -errno;
 * with args->exist_ok one of the type that is there already will do. */
int path_create(const struct create_args *args, mode_t type, struct report *report) _must_check_;
