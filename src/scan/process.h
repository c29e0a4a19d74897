/* SPDX-License-Identifier: MIT */
/* Processes by number: is it alive, since when, what is it called (proc(5), /proc/PID/stat). */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "scan/clock.h"
#include "scan/context.h"

struct process {
	uint32_t pid;
	int error;  /* 0, or -errno why it could not be read. -ENOENT: no such process;
		       -EACCES: it lives, but is hidden; -ENOTSUP: this /proc is
		       that of another PID namespace and cannot tell */
	char state; /* R S D Z T ... */
	uint32_t threads;
	uint32_t uid;	     /* effective */
	int64_t start;	     /* seconds since the epoch, as the clock is set now */
	int64_t earliest;    /* of process_earliest(): what it made is no older */
	struct span command; /* the raw bytes of comm, at most 15 */
};

struct processes {
	struct hash index;
	struct process **items;
	size_t count;
	struct arena arena;
	struct clock_history clock; /* its boot is asked once, so that all starts are told alike */
	bool failed;		    /* memory ran out for one */
};

/* The process as it was when first asked for; NULL only for lack of memory.
 * Valid as long as p. */
const struct process *process_get(struct processes *p, const struct scan_context *context, uint32_t pid);
void processes_free(struct processes *p);

/* Fields of /proc/PID/stat that matter here. */
struct process_stat {
	struct span command; /* may hold any byte, ") R 1 (" included */
	char state;
	uint32_t session;   /* pid of its leader */
	uint32_t terminal;  /* device number of the controlling terminal, as the kernel shows it; 0: none */
	int32_t foreground; /* process group in the foreground of that; -1: none */
	uint32_t threads;
	uint64_t start_ticks; /* since boot, in ticks of sysconf(_SC_CLK_TCK) */
	bool is_thread;	      /* it is one of a process's threads, and not the first */
};

/* 0 or -EINVAL. The command points into text. */
int process_stat_parse(struct span text, struct process_stat *out) _must_check_;
/* More bytes than the file has: 52 numbers, and a name. */
#define STAT_MOST 2048
/* The same of a file, into the text given. 0 or -errno. */
int process_stat_read(int dir, const char *path, char text[static STAT_MOST],
		      struct process_stat *out) _must_check_;
/* Reads the numbers in a directory of /proc (processes, threads, descriptors)
 * into *numbers (the caller's to free). How many, or -errno; that of open(2), if dir is what it returned
 * on failure. */
int64_t read_numbers(int dir, uint32_t **numbers) _must_check_;
