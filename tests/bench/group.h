/* SPDX-License-Identifier: MIT */
#ifndef BENCH_GROUP_H
#define BENCH_GROUP_H

#include "load.h"

/* A group is a leader and its workers. */
#define WORKERS 9
#define MEMBERS (WORKERS + 1)

/* How many descriptors and shared mappings a member has, on average. */
#define DESCRIPTORS 200
#define MAPPINGS 50

/* The shared mappings; map_memfd() is for those of memfds. */
#define SHM_FILES 15	/* of /dev/shm; each mapped by all members */
#define PLAIN_FILES 5	/* elsewhere, to read only; each mapped by all members */
#define ANON_SHARED 10	/* inherited by all members */
#define ANON_OWN 10	/* a member's own */
#define LINKED_MEMFDS 5 /* of those for each worker, mapped by it and the leader */
#define OWN_MEMFDS 1	/* of each member's own */

/* Who makes an object, and so who holds it. */
enum place {
	OWN,	/* each member, for itself */
	LINKED, /* the leader, for each worker: an end each, or the one descriptor to both */
	SHARED, /* the leader, before it forks: all members have all of it */
	NPLACES
};

/* What is made of descriptors, in units of one call: of sockets and pipes a pair of descriptors. */
enum unit { PIPES, SOCKET_PAIRS, EVENTFDS, MEMFDS, NUNITS };

/* Further in load.h. */
struct composition {
	const char *name;
	unsigned int units[NUNITS][NPLACES];
};

struct fds {
	unsigned int count;
	int fd[1024];
};

/* One of the processes, and before it forks the group to be. */
struct member {
	const struct composition *composition;
	const char *directory;
	unsigned int group;
	struct made made;
	int listening[2];  /* by path, and by abstract name */
	struct fds kept;   /* of the leader: its ends of what it made for the workers before this one */
	struct fds near;   /* what it made for this one: its own ends, */
	struct fds far;	   /* the worker's, */
	struct fds both;   /* and what both hold */
	struct fds mapped; /* memfds that whoever still holds them is to map */
};

/* Makes unit number `serial` of a place. Each function dies, after saying why, if it can't do its work. */
void make_unit(struct member *m, enum unit unit, enum place place, unsigned int serial, int ends[2]);
void map_memfd(int fd);
void map_shared(struct member *m);
void map_own(struct member *m);
void count_all(struct made *made, int except);
void die(const char *what) __attribute__((noreturn));

#endif
