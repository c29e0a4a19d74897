/* SPDX-License-Identifier: MIT */
/* What one process holds: its descriptors (visit_fds.c) and its mappings (visit_maps.c). */
#pragma once

#include <limits.h>

#include "scan/cached.h"
#include "scan/holders.h"
#include "scan/process.h"

/* What one thread has found so far. */
struct walker {
	const struct holders_request *request;
	const struct internal_devices *devices; /* of the kernel's own memory */
	const char *ipc_namespace;		/* ours: "ipc:[4026531839]", or "" */
	const char *mount_namespace;		/* likewise */
	const char *net_namespace;		/* likewise */
	const uint64_t *ambiguous;		/* devices on which an inode number is not enough */
	size_t nambiguous;
	const uint64_t *plain; /* on which stat(2) and /proc/locks show the same numbers */
	size_t nplain;
	int proc;
	uint32_t own_pid; /* this process, or 0: proc is of another system */
	bool counting;	  /* of fd_positions_known() */
	int64_t boot;	  /* of boot_time() */
	struct holding *holdings;
	size_t nholdings;
	struct range *ranges;
	size_t nranges;
	struct found_file *files;
	size_t nfiles;
	struct hash file_index;	   /* key -> file */
	struct lock_set locks;	   /* numbered as this thread met them */
	struct lookup_place place; /* where files were looked up last */
	struct arena arena;
	struct buf text; /* of the maps under way */
	char *entries;	 /* of the directory under way: buffer of its dir_reader */
	uint64_t unreadable;
	uint64_t elsewhere;    /* processes with sockets in another network namespace */
	uint64_t unidentified; /* objects whose identity this kernel does not tell */
	uint64_t threads;      /* that were seen, of all processes */
	int error;	       /* 0, or -ENOMEM and the like: the walk is not whole */
	APART;
};

/* The process under way. */
struct visit {
	struct walker *w;
	struct holder *holder; /* its place; command is set once it holds something */
	uint32_t index;	       /* of that */
	int dir;	       /* /proc/PID */
	struct process_stat stat;
	uint32_t tid;		     /* while a thread's own descriptors are looked at, else 0 */
	bool refused;		     /* something of it could not be read */
	bool knows_space;	     /* ipc_space is set */
	int64_t ipc_space;	     /* of visit_ipc_space() */
	bool has_sockets;	     /* one was seen */
	struct terminals *terminals; /* once a pseudo-terminal's master was seen */
};

/* A descriptor under way. */
struct seat {
	int dir;  /* of its table: /proc/PID/fd */
	int info; /* /proc/PID/fdinfo, once it was needed */
	const char *table;
	int fd;
	const char *name;
	char link[PATH_MAX];
	ssize_t len;	 /* of link; negative: it is too long to be told */
	uint64_t number; /* in a link such as "pipe:[4711]" */
	bool numbered;	 /* it is such a link */
};

/* Whether holdings of this class are looked for. */
static inline bool visit_wants(const struct visit *v, enum object_class class)
{
	return v->w->request->classes >> class & 1;
}

/* Looks at the descriptors in the directory `table`/fd below v->dir ("." or "task/TID"), or
 * at the mappings in the file `table`/maps. What is found goes into v->w. */
void visit_descriptors(struct visit *v, const char *table);
void visit_mappings(struct visit *v, const char *table);
/* Looks at one descriptor of the table v->dir/`table`; what it refers to is noted as in visit_descriptors().
 * False: there is none of that number, or it could not be looked at. */
bool visit_one_descriptor(struct visit *v, const char *table, int fd);
/* Whether what /proc/locks says can be used, if it is needed at all. */
static inline bool locks_are_known(const struct holders_request *request)
{
	return !(request->classes & 1 << OBJECT_LOCK) || !request->locks_read ||
	       latch_is_open(request->locks_read);
}

/* Looks at the locks that a descriptor holds. */
void visit_locks(struct visit *v, struct seat *s);
/* What the link of a descriptor says; empty: it is too long. */
struct span seat_path(const struct seat *s);
/* Whether the descriptor still leads where it led: its number may be given to another
 * file between two calls. 0 or -errno; -ENOENT: no. */
int seat_still_there(const struct seat *s) _must_check_;
/* What it was opened for. 0 or -errno. */
int seat_access(const struct seat *s, uint8_t *access) _must_check_;
/* Opens the directory of the table's fdinfo: quicker than to go through it each time. 0 or -errno. */
int seat_open_info(const struct visit *v, struct seat *s) _must_check_;
/* Notes what an error (-errno, or 0) means for how complete the view is. */
void visit_failed(struct visit *v, int error);
void visit_free(struct visit *v);

/* Notes a holding, by descriptor or (range) by mapping. */
void visit_add(struct visit *v, const struct object_key *key, int fd, uint8_t access,
	       const struct range *range);
/* Whether the process, or the thread under way, is in that namespace ("ipc" or "mnt") of ours.
 * 1, 0, or -errno. */
int visit_shares(const struct visit *v, const char *namespace, const char *ours) _must_check_;
/* The IPC namespace of the process, or the thread under way, as sysv_number() takes it: 0: it is ours, or
 * its number; -ENOENT: another, which is not looked at; or -errno. */
int64_t visit_ipc_space(const struct visit *v) _must_check_;
/* Whether all that can be known of a file was noted before by this thread. */
bool visit_knows_file(const struct walker *w, const struct object_key *key);
/* Notes a file; escaped: newlines in path may stand as \012; stx: what it is, or NULL: not known. */
void visit_note_file(struct visit *v, const struct object_key *key, struct span path, bool escaped,
		     const struct statx *stx);
/* The file behind a link of /proc, asked without waiting for any file system, dead
 * network ones included: with DONT_SYNC it answers with what it knows. 0 or -errno. */
int look_behind(int dir, const char *name, unsigned mask, struct statx *stx) _must_check_;
struct object_key file_key(enum object_class class, const struct statx *stx);
/* The path before " (deleted)". */
struct span without_deleted(struct span path);
bool device_is_among(const uint64_t *devices, size_t count, uint64_t dev);
