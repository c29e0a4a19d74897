/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

/* The kinds of objects that loads are made of; load.c has the names that ipcctl has for them. */
enum kind {
	SYSV_MSG,
	SYSV_SEM,
	SYSV_SHM,
	POSIX_SHM,
	PIPE,
	UNIX_SOCKET,
	EVENTFD,
	MEMFD,
	FILE_MAPPING,
	ANON_MAPPING,
	FLOCK,
	RECORD_LOCK,
	NKINDS
};

/* What was made, counted by whoever made it. */
struct made {
	unsigned int objects[NKINDS];
	unsigned int held[NKINDS]; /* of each object the number of processes that have it, together */
	unsigned int processes;
	unsigned int descriptors; /* of the processes: as the kernel lists them */
	unsigned int mappings;	  /* of the processes, shared ones: as the kernel lists them */
	unsigned int waits;	  /* threads that are blocked on something */
	unsigned int places;	  /* IPC namespaces beside this one */
	unsigned int elsewhere;	  /* objects in those, which are not among the others */
};

/*
 * Make one group of processes and what they share, and return once all of it is there: 0,
 * or -1 after saying why. Files and sockets are made in /dev/shm and in `directory`.
 */
int make_typical_group(unsigned int index, const char *directory, struct made *made);
int make_even_group(unsigned int index, const char *directory, struct made *made);

/* Starts a process that makes what it is to have, and keeps it until this one ends; returns once all is
 * there. 0, or -1 with errno. */
int start_process(void (*make)(unsigned int index, const char *directory), unsigned int index,
		  const char *directory);

/* The same of a process that holds LOCKS locks of files in `directory`. */
#define LOCKS 100U
int make_locker(unsigned int index, const char *directory, struct made *made);

/* The same of a process with BLOCKED threads, each of which waits for something; what else it has is not
 * counted. */
#define BLOCKED 100U
int make_blocker(unsigned int index, const char *directory, struct made *made);

/* The same of a process in an IPC namespace of its own with PLACED System V objects; as many are made here.
 */
#define PLACED 20U
int make_place(unsigned int index, const char *directory, struct made *made);

/* Makes the index-th System V object of a kind in the IPC namespace that this process is in. 0 or -1 with
 * errno. */
int make_sysv(enum kind kind, unsigned int index);

/* Prints the table of compositions, as it is compiled in. */
void print_compositions(void);

#endif
