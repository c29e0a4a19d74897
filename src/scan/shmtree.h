/* SPDX-License-Identifier: MIT */
/*
 * What lies in /dev/shm: POSIX segments and named semaphores, and whatever else
 * somebody put there. Any user may; so nothing is followed, nothing but a
 * regular file is opened, and what was opened is compared with what was seen.
 */
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include "lib/arena.h"
#include "model/warnings.h"
#include "scan/holders.h"
#include "scan/names.h"
#include "scan/semaphore.h"

/* Directories deeper than this are listed but not entered. */
#define SHMTREE_DEPTH 8
/* Paths may take so much memory in all: whoever may write there decides how long they are. */
#define SHMTREE_MOST_BYTES ((size_t)256 << 20)

struct shm_entry {
	struct span path; /* relative to /dev/shm, terminated */
	dev_t dev;
	ino_t ino;
	uint32_t mode; /* type and permissions, as st_mode */
	uint32_t uid, gid, links;
	uint64_t size, allocated; /* bytes */
	int64_t atime, mtime, ctime;
	uint32_t ctime_nsec;
	/*
	 * A regular file at the top that has the size of a semaphore, and not the name
	 * that glibc gives one: what it reads as. musl's have no prefix; zeroes only may
	 * be anything.
	 */
	bool maybe_musl;
	struct semaphore semaphore;
	bool deleted;	  /* unlinked, but held; path is what it was called */
	bool undescribed; /* deleted, and nothing but its identity could be read */
	bool mounted;	  /* another file system is mounted on it */
};

struct shmtree {
	int root;   /* O_PATH descriptor of /dev/shm, or -1 */
	dev_t dev;  /* of the root */
	bool exact; /* a file system of memory: its files have its device, for everybody */
	struct shm_entry *items;
	size_t count;
	struct arena arena; /* paths */
	struct name_index by_path;
	struct hash by_inode; /* of those with a name; built when first needed */
	/* If any file has several names: for who takes leases on them, one at a time. */
	pthread_mutex_t *twins;
};

/* Opens /dev/shm and reads nothing. 0 or -errno. */
int shmtree_open(struct shmtree *t) _must_check_;
/* The same with a descriptor of another /dev/shm, which is taken over. */
int shmtree_adopt(struct shmtree *t, int root) _must_check_;
/* Reads the entries of one that is open, as shmtree_read(). */
int shmtree_look(struct shmtree *t, const struct name_list *names, struct warnings *warnings) _must_check_;
/*
 * Opens /dev/shm and reads its entries: all, directories descended, or only
 * the names asked for (paths relative to it). What could not be read is added
 * to the warnings. 0 or -errno of the root itself.
 */
int shmtree_read(struct shmtree *t, const struct name_list *names, struct warnings *warnings) _must_check_;
void shmtree_free(struct shmtree *t);

/* Adds an object that only a holder leads to; not if it turns out to have a name.
 * 0 or -ENOMEM. */
int shmtree_add_nameless(struct shmtree *t, const struct found_file *n) _must_check_;
/* The index of the entry with this path: 0 and up, -ENOENT or -ENOMEM. */
int64_t shmtree_find(struct shmtree *t, struct span path);
/* The same by inode number, of those with a name on the device of the root. */
int64_t shmtree_find_inode(struct shmtree *t, uint64_t ino);

/*
 * The directory that holds path, as an O_PATH descriptor reached without
 * following a link or leaving the file system. *leaf is the last component
 * (inside path). Returns the descriptor (the caller's) or -errno; -EINVAL for
 * a path with empty, "." or ".." components.
 */
int shmtree_open_parent(const struct shmtree *t, struct span path, const char **leaf) _must_check_;

/*
 * Opens a regular file for reading without disturbing it: not its access time,
 * no waiting, no terminal. The entry's identity is compared before and after.
 * Returns a descriptor or -errno: -ESTALE if something else has that name by now,
 * -ENOENT if nothing has, -EPERM if reading would move the access time (only the
 * owner and CAP_FOWNER may keep it from moving).
 */
int shmtree_open_file(const struct shmtree *t, const struct shm_entry *e) _must_check_;

/* Whether it is called as glibc's sem_open(3) calls its files: "sem.NAME" at the top. */
bool shm_entry_is_semaphore(const struct shm_entry *e);
/* Whether it is listed as a semaphore: called so, or one of musl's that is not all zeroes. */
bool shm_entry_reads_as_semaphore(const struct shm_entry *e);
/* Reads an entry as a semaphore, disturbing nothing. 0 or -errno as shmtree_open_file(). */
int shmtree_read_semaphore(const struct shmtree *t, const struct shm_entry *e,
			   struct semaphore *out) _must_check_;
/* Whether the name still means this entry: 0, -ESTALE, -ENOENT or -errno. */
int shmtree_check(int parent, const char *leaf, const struct shm_entry *e) _must_check_;
