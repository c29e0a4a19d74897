/* SPDX-License-Identifier: MIT */
/* The shared memory of one process by address: which object lies there, and where in it. */
#pragma once

#include "lib/arena.h"
#include "scan/found.h"
#include "scan/futex_layout.h"
#include "scan/internal.h"
#include "scan/mountinfo.h"

/* Memory that processes share, whatever addresses each sees it at. */
struct memory_object {
	struct object_key key; /* OBJECT_FILE, _SYSV, _MEMFD, _FILE_MAPPING or _ANON_MAPPING */
	uint64_t space;	       /* of a System V segment: its IPC namespace, if that is not ours */
};

struct region {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* in the object, bytes */
	struct memory_object object;
	bool local;	  /* reading what is resident waits for nothing */
	struct span path; /* as maps shows it, terminated */
};

struct regions {
	uint32_t pid, tid; /* tid: of the thread that shows them */
	struct region *items;
	size_t count;
	enum futex_libc libc; /* the process's, as far as its mappings tell */
	struct arena arena;
	int error; /* 0, or -errno: they could not be read */
};

/* What it takes to tell memory apart. */
struct region_reader {
	int proc;
	const struct internal_devices *devices;
	uint64_t shm_dev; /* of /dev/shm, whose files are OBJECT_FILE; 0: all are mappings of files */
	const struct mounts *mounts;
	uint64_t ipc_namespace; /* ours, by its inode number */
};

struct snapshot;
void region_reader_init(struct region_reader *reader, const struct snapshot *s);
/*
 * Reads them as a thread shows them; tid 0: the leader, or if that is dead the first thread that
 * is not. regions->error tells if that failed. 0 or -ENOMEM.
 */
int regions_read(struct regions *regions, const struct region_reader *reader, uint32_t pid,
		 uint32_t tid) _must_check_;
/* The region that an address lies in, or NULL. */
const struct region *regions_find(const struct regions *regions, uint64_t address);
void regions_free(struct regions *regions);
bool memory_object_same(const struct memory_object *a, const struct memory_object *b);
