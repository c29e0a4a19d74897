/* SPDX-License-Identifier: MIT */
/* Objects by the numbers that identify them, and what was seen of those that are files. */
#pragma once

#include "lib/hash.h"

/* What sort of object a holding refers to, and which numbers identify it. */
enum object_class {
	OBJECT_FILE,	     /* file of a device that was asked for: device, inode */
	OBJECT_SYSV,	     /* System V segment: the key that it was made with, sysv_number() */
	OBJECT_PIPE,	     /* 0, inode */
	OBJECT_FIFO,	     /* device, inode */
	OBJECT_SOCKET,	     /* of any family: 0, inode */
	OBJECT_MEMFD,	     /* device, inode */
	OBJECT_EVENTFD,	     /* 0, eventfd-id */
	OBJECT_PTY,	     /* device of the devpts instance, number */
	OBJECT_FILE_MAPPING, /* shared mapping of a file: device as maps shows it, inode */
	OBJECT_ANON_MAPPING, /* shared anonymous memory: device, inode */
	OBJECT_LOCK,	     /* lock of a file: 0, its number in the set of them */
	OBJECT_SYSV_SEM,     /* semaphore set: 0, sysv_number(); nobody holds one, but tasks wait for it */
	OBJECT_SYSV_MSG,     /* message queue: 0, sysv_number(); likewise */
	OBJECT_CLASSES,
};

struct object_key {
	enum object_class class;
	uint64_t dev; /* of makedev(3) */
	uint64_t ino; /* or id, or number */
};

/* An id and the number of the IPC namespace in which it means something; 0: that of this process. */
static inline uint64_t sysv_number(uint64_t ipcns, uint32_t id)
{
	return ipcns << 32 | id;
}

/* Digest of a key, for a map. */
uint64_t object_digest(const struct object_key *key);
/* The same of its parts; dev: of device_pack(). */
static inline uint64_t object_digest_packed(unsigned class, uint32_t dev, uint64_t ino)
{
	return (ino * 0x9e3779b97f4a7c15u) ^ (uint64_t)dev << 8 ^ class;
}
bool object_same(const struct object_key *a, const struct object_key *b);
/* A device number in 32 bits, as the kernel keeps it (MKDEV() in linux/kdev_t.h), and back. */
uint32_t device_pack(uint64_t dev);
uint64_t device_unpack(uint32_t packed);

/* What was seen of a file where it was found first: not each class has them. */
struct found_file {
	struct object_key key;
	struct span path; /* as the kernel shows it, without " (deleted)"; empty: too long */
	bool deleted;	  /* that was there, or it has no links left */
	bool guessed;	  /* nothing but the text speaks for that */
	bool escaped;	  /* newlines in path may stand as \012, as maps shows them */
	bool described;	  /* what follows is known */
	uint32_t mode, uid, gid, links;
	uint64_t size, allocated; /* bytes */
	int64_t atime, mtime, ctime;
};

/* Whether no more can be known of a file. */
bool found_file_is_whole(const struct found_file *file);
/* Adds a file to *files, or puts it in the place of what was known less of; the strings
 * stay where they are. 0 or -ENOMEM. */
int found_file_add(struct found_file **files, size_t *count, struct hash *index,
		   const struct found_file *file) _must_check_;
/* The file of that key, or NULL. */
const struct found_file *found_file_find(const struct found_file *files, const struct hash *index,
					 const struct object_key *key);
