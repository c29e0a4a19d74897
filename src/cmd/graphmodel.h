/* SPDX-License-Identifier: MIT */
/*
 * Processes and what is between them. It is made in steps, each in a file of its own: what the records
 * tell (graphgather.c), who waits (graphwaits.c), what of it is drawn and how (graphlinks.c), what lies
 * around one process (graphreach.c), and what becomes one because it looks the same (graphbundle.c).
 *
 * Nodes have numbers: first the objects, then the processes, which come to be known little by little. Every
 * step takes time for each node and link once, or sorts them; none looks through a list for each item of
 * another.
 */
#pragma once

#include "cmd/waitlook.h"

#define GRAPH_NOTHING UINT32_MAX

enum graph_relation {
	GRAPH_USES,	/* a process and an object: the way that bytes can go */
	GRAPH_CONNECTS, /* two processes: a pipe, a connection, a terminal */
	GRAPH_HELD_BY,	/* an object and who has it locked, or changed it last */
	GRAPH_WAITS,	/* a process and what it waits for: an object, or who is at the other end */
};

enum graph_direction {
	GRAPH_NEITHER,
	GRAPH_FORWARD,
	GRAPH_BOTH,
};

/* A wait that can never end, and what is part of one. */
struct graph_doom {
	enum wait_verdict verdict;
	uint32_t cycle; /* from 1; 0: none */
};

struct graph_process {
	uint32_t pid;
	bool told;		   /* start and command are known */
	bool gone;		   /* it has ended meanwhile: what is not known of it never will be */
	int64_t start;		   /* seconds since the epoch */
	struct span command, user; /* no user: not known */
	uint64_t pid_namespace, ipc_namespace; /* 0: not known */
	struct graph_doom doom;
	uint32_t cluster; /* from 1; 0: none */
	uint32_t id;	  /* from 1; 0: it is not drawn */
	/* With --group: who stands for this one, too; for how many others it stands; those one after
	 * another. Numbers plus 1; 0: nobody. */
	uint32_t like, alike, next, last;
};

/* What one process has of one object. */
struct graph_hold {
	uint32_t process;
	uint8_t access; /* bits of it: 1 reads, 2 writes */
	uint8_t ends;	/* of a channel: 1 the source, 2 the sink */
	uint32_t roles; /* bits: graph->roles */
};

enum { GRAPH_READS = 1, GRAPH_WRITES = 2 };
enum { GRAPH_SOURCE = 1, GRAPH_SINK = 2 };

/* An object, as its record tells. */
struct graph_item {
	size_t kind, index; /* in the listing, and of the snapshot */
	struct span ref, state, reason, peer;
	uint64_t address; /* a digest; 0: none */
	struct value size, queued, queued_back, capacity;
	uint32_t owner;		   /* process that has it locked, or GRAPH_NOTHING */
	size_t first, count;	   /* holds, ordered by process */
	size_t first_wait, nwaits; /* waits, ordered by process */
	uint32_t other;		   /* the object at the other end, or GRAPH_NOTHING */
	uint32_t like;		   /* the object that stands for this one, too; itself: none does */
	uint32_t alike;		   /* for how many it stands, itself included */
	uint32_t next, last;	   /* of those, one after another; GRAPH_NOTHING: no more */
	uint32_t cluster;
	uint32_t id;  /* from 1; 0: it is not drawn as a node */
	bool passes;  /* the filters */
	bool listens; /* it takes connections */
	bool met;     /* a connection that the object at the other end stands for */
	bool heard;   /* others are connected to it */
	bool server;  /* of a connection: this end took it, the other asked for it */
	bool known;   /* which of both did is known */
	bool filled;  /* how full it is was read */
	bool own;     /* this very process has it */
	bool doomed;  /* it is part of a deadlock */
	bool as_node, as_line;
};

struct graph_wait {
	uint32_t item, process;
	size_t wait; /* of the wait graph */
};

/* A line between two nodes, for one object. */
struct graph_link {
	uint32_t from, to; /* nodes */
	uint32_t item;
	uint32_t roles;
	enum graph_relation relation;
	enum graph_direction direction;
	bool turned;	/* it goes from the sink to the source of its object */
	uint64_t waits; /* tasks */
	struct graph_doom doom;
};

/* Lines that look the same: links[first .. first + count). */
struct graph_edge {
	size_t first, count;
	struct value queued, queued_back, capacity; /* sums */
	uint64_t waits;
};

/* Namespaces that some of the processes are in. */
struct graph_cluster {
	uint64_t pid_namespace, ipc_namespace; /* 0: not known */
};

/* What is not drawn, and why. */
struct graph_left {
	uint64_t alone;	    /* one process alone has it */
	uint64_t unheld;    /* no process in sight has it */
	uint64_t unwritten; /* nobody in sight can write to it: nothing goes from one to the other */
	uint64_t polled;    /* waits for one of several things */
};

#define GRAPH_ROLES 32

struct graph {
	struct listing *l; /* of the kinds that were asked for */
	bool all;	   /* nothing is left out */
	uint32_t self;	   /* this very process, which is not drawn; or GRAPH_NOTHING */
	bool group;	   /* processes that are connected in the same way become one */
	uint64_t pid;	   /* only what is around this process; 0: everything */
	uint64_t depth;
	struct graph_process *processes;
	size_t nprocesses;
	struct hash pids;
	struct graph_item *items;
	size_t nitems;
	struct hash refs; /* a digest of the reference -> item */
	struct graph_hold *holds;
	size_t nholds;
	struct graph_wait *waits;
	size_t nwaits;
	struct graph_link *links;
	size_t nlinks;
	struct graph_edge *edges;
	size_t nedges;
	size_t joined;	   /* lines that became one with others */
	uint32_t *order;   /* nodes that are drawn, in the order of their ids */
	uint32_t *grouped; /* the same, those of one cluster together */
	size_t nodes;
	struct graph_cluster *clusters;
	size_t nclusters; /* 0: all are in the same namespaces, as far as is known */
	struct span roles[GRAPH_ROLES];
	size_t nroles;
	struct graph_left *left; /* of each kind of the listing */
	struct arena arena;
};

/* Fields of a kind's records that a listing must have for all of this, and the sources of these. */
struct fieldset graph_fields(const struct kind *k);
unsigned graph_sources(const struct listing *l);
/* Takes the objects of the listing's snapshot, and who has them. 0 or -ENOMEM. */
int graph_gather(struct graph *g) _must_check_;
/* Takes who waits for those. 0 or -ENOMEM. */
int graph_add_waits(struct graph *g, const struct wait_graph *waits) _must_check_;
/* Finds what is at the other end of each connection. 0 or -ENOMEM. */
int graph_connect(struct graph *g) _must_check_;
/* Draws lines for what is to be seen. 0 or -ENOMEM. */
int graph_link(struct graph *g, const struct wait_graph *waits) _must_check_;
/* With a pid: drops the lines that are further away. 0 or -ENOMEM. */
int graph_reach(struct graph *g) _must_check_;
/* Reads how full the lines are that are left. 0 or -ENOMEM. */
int graph_fill(struct graph *g) _must_check_;
/* Makes one of what looks the same, tells what is known of the processes, gives numbers. 0 or -ENOMEM. */
int graph_bundle(struct graph *g) _must_check_;
/* Makes one of processes of one command that are connected in the same way. 0 or -ENOMEM. */
int graph_group(struct graph *g) _must_check_;
void graph_free(struct graph *g);

/* The process of a number, which is added if it is not there yet; GRAPH_NOTHING: no memory. */
uint32_t graph_process_of(struct graph *g, uint32_t pid);
/* The object with a reference, or GRAPH_NOTHING. */
uint32_t graph_item_of(const struct graph *g, struct span ref);
const struct kind *graph_kind(const struct graph *g, const struct graph_item *item);
/* A value that is summed up: what is unknown of one is unknown of all. */
void graph_add_value(struct value *sum, const struct value *v);

static inline bool graph_is_process(const struct graph *g, uint32_t node)
{
	return node >= g->nitems;
}

static inline struct graph_process *graph_process_at(const struct graph *g, uint32_t node)
{
	return &g->processes[node - g->nitems];
}

/* What a node is called in the output, from 1; 0: it is not drawn. */
static inline uint32_t graph_id(const struct graph *g, uint32_t node)
{
	return graph_is_process(g, node) ? graph_process_at(g, node)->id : g->items[node].id;
}

/* The cluster that it stands in, from 1; 0: none. */
static inline uint32_t graph_cluster(const struct graph *g, uint32_t node)
{
	if (g->nclusters == 0)
		return 0;
	return graph_is_process(g, node) ? graph_process_at(g, node)->cluster : g->items[node].cluster;
}

static inline uint32_t graph_process_node(const struct graph *g, uint32_t process)
{
	return (uint32_t)g->nitems + process;
}
