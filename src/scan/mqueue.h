/* SPDX-License-Identifier: MIT */
/*
 * POSIX message queues: the mqueue file system of the caller's IPC namespace
 * (mq_overview(7)). With the right to do so it is attached to a descriptor
 * without being mounted anywhere (fsopen(2)); else a mount that is there is used.
 */
#pragma once

#include "lib/arena.h"
#include "model/warnings.h"
#include "scan/holders.h"
#include "scan/names.h"

struct mqueue_entry {
	struct span name; /* without slash, terminated */
	uint64_t dev, ino;
	uint32_t mode, uid, gid;
	int64_t atime, mtime, ctime;
	uint32_t ctime_nsec;
	bool deleted; /* unlinked, but held; name is what it was called */
};

struct mqueue {
	int root;	/* directory descriptor, or -1 */
	uint64_t dev;	/* of the file system: one is one IPC namespace */
	bool uncertain; /* it is a mount of which nothing proves that it is this namespace's */
	struct mqueue_entry *items;
	size_t count;
	struct arena arena;
	struct name_index by_name;
};

/* What mq_getattr(3) tells. */
struct mqueue_attr {
	uint64_t maxmsg, msgsize, curmsgs;
};

/* What only the status line tells (ipc/mqueue.c, mqueue_read_file()). */
struct mqueue_status {
	uint64_t bytes;	     /* queued */
	uint32_t notify_pid; /* 0: nobody is registered */
	uint32_t notify_signal;
	int notify_method; /* SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD 2 */
};

/*
 * Reads all queues, or only the names asked for. 0, -ENOMEM, or -errno why the
 * file system cannot be reached: -EPERM without the right and without a mount, -ENOSYS
 * if the kernel has no queues.
 */
int mqueue_read(struct mqueue *q, int proc, const struct name_list *names) _must_check_;
/* As mqueue_read(), through a directory descriptor of the file system, which is taken over. */
int mqueue_adopt(struct mqueue *q, int root, const struct name_list *names) _must_check_;
void mqueue_free(struct mqueue *q);

/* Adds a queue that only a holder leads to. 0 or -ENOMEM. */
int mqueue_add_nameless(struct mqueue *q, const struct found_file *n) _must_check_;
/* The index of the queue with this name (no slash): 0 and up, -ENOENT or -ENOMEM. */
int64_t mqueue_find(struct mqueue *q, struct span name);
/* Opens a queue for reading, disturbing nothing; the identity is compared.
 * Returns a descriptor or -errno (-ESTALE: another queue has that name by now). */
int mqueue_open(const struct mqueue *q, const struct mqueue_entry *e) _must_check_;
/* Whether the name still means this queue: 0, -ESTALE, -ENOENT or -errno. */
int mqueue_check(const struct mqueue *q, const struct mqueue_entry *e) _must_check_;
/* Unlinks exactly this queue. 0, -ESTALE, -ENOENT or -errno. */
int mqueue_unlink(const struct mqueue *q, const struct mqueue_entry *e) _must_check_;
/* Asks an open queue. 0 or -errno. */
int mqueue_get_attr(int fd, struct mqueue_attr *attr) _must_check_;
/* Reads the status line, which MOVES the queue's atime and ctime. 0 or -errno. */
int mqueue_get_status(int fd, struct mqueue_status *status) _must_check_;
/* Parses a status line. 0 or -EINVAL. */
int mqueue_status_parse(struct span line, struct mqueue_status *status) _must_check_;
