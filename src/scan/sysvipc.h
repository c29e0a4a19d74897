/* SPDX-License-Identifier: MIT */
/*
 * The tables of /proc/sysvipc: shm, sem, msg (Documentation: proc(5); printed by
 * sysvipc_shm_proc_show() and its siblings in the kernel's ipc/). They show the
 * IPC namespace of the process that opens them, to everybody. Columns are
 * found by their names in the head line; those not known here are skipped.
 *
 * The same rows come from semctl(2) and msgctl(2) with *_STAT_ANY at half the cost,
 * since nothing is printed and parsed; but only shm's text tells rss and swap.
 */
#pragma once

#include "lib/hash.h"

enum sysv_kind { SYSV_SHM, SYSV_SEM, SYSV_MSG };

/* Bits in perms beside the permissions (include/linux/shm.h). */
#define SYSV_SHM_DEST 01000u   /* removed, goes with the last detach */
#define SYSV_SHM_LOCKED 02000u /* may not be swapped out */

/* What all three have. */
struct sysv_perm {
	uint32_t id;
	uint32_t key; /* 0: IPC_PRIVATE */
	uint32_t perms;
	uint32_t uid, gid;   /* owner */
	uint32_t cuid, cgid; /* creator */
};

struct sysv_shm_row {
	struct sysv_perm perm;
	uint32_t cpid, lpid; /* 0: never, or outside this PID namespace */
	uint64_t size;	     /* bytes */
	uint64_t nattch;     /* mappings, not processes */
	int64_t atime, dtime, ctime;
	uint64_t rss, swap; /* bytes, as printed: see sysv_shm_rss() */
};

struct sysv_sem_row {
	struct sysv_perm perm;
	uint32_t nsems;
	int64_t otime, ctime;
};

struct sysv_msg_row {
	struct sysv_perm perm;
	uint32_t lspid, lrpid;
	uint64_t cbytes; /* bytes queued */
	uint64_t qnum;	 /* messages queued */
	uint64_t qbytes; /* most bytes it may hold; only sysv_table_stat() tells */
	int64_t stime, rtime, ctime;
};

struct sysv_table {
	enum sysv_kind kind;
	void *rows; /* of the type that belongs to kind */
	size_t count;
	uint64_t columns;  /* which columns the kernel printed: sysv_has_column() */
	bool from_stat;	   /* rows are of sysv_table_stat(): qbytes is known */
	uint32_t bad_rows; /* rows that could not be parsed and are left out */
	struct hash by_id, by_key;
	bool indexed;
};

/*
 * Asks shmctl(2), semctl(2) or msgctl(2) for each index of this IPC namespace; rss
 * and swap stay unknown. 0; -EOPNOTSUPP if the kernel is too old, or the table is
 * sparse so that its text does better and sparse_too is not set; or -errno, -EACCES
 * where a security module refuses a row. On failure t stays empty.
 */
int sysv_table_stat(struct sysv_table *t, bool sparse_too) _must_check_;
/* Reads the table of t->kind below proc (a directory descriptor). 0 or -errno;
 * rows read before a failure stay. */
int sysv_table_read(struct sysv_table *t, int proc) _must_check_;
/*
 * The same in the quickest way for the IPC namespace that this thread is in: by system calls or by text.
 * own: proc is of this system. 0 or -errno; -ENOENT: neither tells.
 */
int sysv_table_take(struct sysv_table *t, int proc, bool own) _must_check_;
/* Bytes of a row of that kind. */
size_t sysv_row_size(enum sysv_kind kind);
/* Parses the text of a table; for tests and fuzzing. 0, -EINVAL or -ENOMEM. */
int sysv_table_parse(struct sysv_table *t, struct span text) _must_check_;
void sysv_table_free(struct sysv_table *t);
/* Whether the kernel printed the column (old ones know no rss and swap). */
bool sysv_has_column(const struct sysv_table *t, const char *name);

const struct sysv_perm *sysv_perm_at(const struct sysv_table *t, size_t i);
static inline const struct sysv_shm_row *sysv_shm_at(const struct sysv_table *t, size_t i)
{
	return (const struct sysv_shm_row *)t->rows + i;
}
static inline const struct sysv_sem_row *sysv_sem_at(const struct sysv_table *t, size_t i)
{
	return (const struct sysv_sem_row *)t->rows + i;
}
static inline const struct sysv_msg_row *sysv_msg_at(const struct sysv_table *t, size_t i)
{
	return (const struct sysv_msg_row *)t->rows + i;
}

/* Index of the row with this id: 0 or more, -ENOENT or -ENOMEM. */
int64_t sysv_table_find(struct sysv_table *t, uint32_t id);
/* The same for a key that is not 0: no two objects have one key. */
int64_t sysv_table_find_key(struct sysv_table *t, uint32_t key);

/*
 * Resident bytes of a segment. Newer kernels count a huge page segment's pages
 * in base pages and multiply by the pages of a huge page once more (shm_add_rss_swap()
 * in ipc/shm.c): a resident size beyond the segment's own proves such a segment, and is
 * divided again. The sizes of huge pages that the system has come in ascending
 * order; *huge_page_size is the segment's, 0 where nothing is proved.
 */
uint64_t sysv_shm_rss(const struct sysv_shm_row *row, uint64_t page_size, const uint64_t *huge_page_sizes,
		      size_t count, uint64_t *huge_page_size);

struct sembuf;

/*
 * Who changed the semaphore last that stops an array of operations on a set of this IPC namespace: the first that
 * cannot be done now. 0: none stops it any more, or it cannot be told.
 */
uint32_t sysv_sem_changer(int id, const struct sembuf *operations, size_t n);
