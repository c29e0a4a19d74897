/* SPDX-License-Identifier: MIT */
/*
 * Locks of files, as lines of /proc/locks and of /proc/PID/fdinfo/N tell them (proc(5);
 * lock_get_status() in fs/locks.c), and a set of them.
 */
#pragma once

#include "lib/hash.h"

enum lock_type {
	LOCK_FLOCK, /* flock(2): of the whole file */
	LOCK_POSIX, /* fcntl(2) F_SETLK: of a range, held by a process */
	LOCK_OFD,   /* fcntl(2) F_OFD_SETLK: of a range, held by an open file description */
	LOCK_LEASE, /* fcntl(2) F_SETLEASE, and delegations of the NFS server */
};

/* The end of a range that has none. */
#define LOCK_EOF INT64_MAX

/* What a line says. */
struct lock_line {
	enum lock_type type;
	bool write;	     /* exclusive; of a lease that is being broken: what it is to become */
	bool none;	     /* likewise, to be given up */
	bool breaking;	     /* a lease that its holder was told to give up */
	unsigned level;	     /* 0: it is held; 1: it waits for that; 2: behind one that waits, ... */
	int64_t pid;	     /* who locked; -1 of LOCK_OFD; 0: nobody of this PID namespace */
	uint64_t dev, ino;   /* sb->s_dev as of makedev(3), and i_ino: stat(2) may say otherwise */
	uint64_t start, end; /* first and last byte, or LOCK_EOF */
};

/* Whether two lines are of the same lock: the same file and part of it, held in the same way. What
 * a lease is changes while somebody waits for it. */
bool lock_same(const struct lock_line *a, const struct lock_line *b);
/* Digest of what makes a lock the same, for a map. */
uint64_t lock_digest(const struct lock_line *line);
/* Such a line, behind "lock:" in fdinfo. 0, -EINVAL, or -ENOTSUP: no lock of these types. */
int lock_parse(struct span line, struct lock_line *out) _must_check_;

/*
 * A lock. Where several may have it at the same time, all of them have one: the holders of a shared
 * lock hold the same.
 */
struct lock {
	struct lock_line line;
	uint64_t subvolume; /* device of stat(2) where that is needed to tell files apart, or 0 */
	/* Of the file, where a descriptor told: */
	struct span path; /* as the kernel shows it, without " (deleted)"; empty: not known */
	bool deleted;
	bool leads;		     /* the path leads to it for us, too */
	bool looked;		     /* these are known: */
	uint64_t file_dev, file_ino; /* of stat(2) */
};

/* Zero-initialise to make one. */
struct lock_set {
	struct lock *items;
	size_t count;
	struct hash index;
};

/* The index of the same lock, or -ENOENT. */
int64_t lock_set_find(const struct lock_set *set, const struct lock *lock);
/* The slot of the first lock of that line, on whatever subvolume, or of the next behind `after`; its
 * value is the index. NULL: there is none. */
const struct hash_slot *lock_set_next(const struct lock_set *set, const struct lock_line *line,
				      const struct hash_slot *after);
/* Adds a lock, or what is known of its file to the one that is there. Its index or -ENOMEM. */
int64_t lock_set_add(struct lock_set *set, const struct lock *lock) _must_check_;
void lock_set_free(struct lock_set *set);
