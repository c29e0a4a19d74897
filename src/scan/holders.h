/* SPDX-License-Identifier: MIT */
/*
 * Who holds what: one walk over /proc, in parallel, for the objects that were
 * asked for. A descriptor or a mapping that refers to one is a holding; holdings
 * are found by the object's key.
 */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "model/warnings.h"
#include "scan/internal.h"

/* What number identifies the object. */
enum object_class {
	OBJECT_FILE, /* device and inode of a file */
	OBJECT_SYSV, /* id of a System V segment of this IPC namespace */
};

struct object_key {
	enum object_class class;
	uint64_t dev; /* of makedev(3) */
	uint64_t ino; /* or id */
};

enum holding_access {
	ACCESS_READ = 1 << 0,
	ACCESS_WRITE = 1 << 1,
};

struct holder {
	uint32_t pid;  /* thread group, as /proc shows it */
	uint32_t uid;  /* effective */
	int64_t start; /* seconds since the epoch, as the clock is set now */
	struct span command;
};

#define NO_HOLDING UINT32_MAX

struct holding {
	struct object_key key;
	uint32_t holder;     /* index */
	uint32_t next;	     /* the next holding of the same object, or NO_HOLDING */
	int fd;		     /* or -1: it is a mapping */
	uint32_t tid;	     /* the thread whose own table of descriptors it is; 0: the process's */
	uint8_t access;	     /* of enum holding_access */
	uint64_t start, end; /* of a mapping: addresses */
};

/* An object without a name that is held all the same. */
struct nameless {
	struct object_key key;
	struct span path; /* as the kernel shows it, without " (deleted)"; empty: too long */
	bool described;	  /* what follows is known */
	uint32_t mode, uid, gid, links;
	uint64_t size, allocated; /* bytes */
	int64_t atime, mtime, ctime;
};

struct holders {
	struct holder *items;
	size_t count;
	struct holding *holdings;
	size_t nholdings;
	struct hash index;	   /* key -> first holding */
	struct nameless *nameless; /* each object once */
	size_t nnameless;
	struct arena arena;
	uint64_t unreadable; /* processes that could not be read whole */
	bool hidden;	     /* processes may exist that /proc does not show */
	bool walked;
};

/* What a walk is to look for. */
struct holders_request {
	bool descriptors, mappings;
	const uint64_t *devices; /* files of these devices (makedev(3)) */
	size_t ndevices;
	bool sysv;	  /* attached System V segments */
	bool own_proc;	  /* proc is of this system: its numbers mean something to kcmp(2) */
	unsigned threads; /* at most; 0: as many as there are processors */
};

/*
 * Walks over all processes of proc (a directory descriptor). Those that end
 * meanwhile are no news; those that cannot be read are counted and warned of. 0 or -errno.
 */
int holders_walk(struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings) _must_check_;
void holders_free(struct holders *h);
/* The first holding of an object, or NULL; then follow with holding_next(). */
const struct holding *holders_find(const struct holders *h, const struct object_key *key);
static inline const struct holding *holding_next(const struct holders *h, const struct holding *holding)
{
	return holding->next == NO_HOLDING ? NULL : &h->holdings[holding->next];
}
