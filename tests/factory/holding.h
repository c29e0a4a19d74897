/* SPDX-License-Identifier: MIT */
/*
 * Processes that hold an object, each in a way that is spelled out:
 *
 *   holders=PROCESS,...    PROCESS = ACTION[+ACTION...]
 *
 * hold_actions.c lists the actions. Every process writes what it holds onto a
 * board that all of them share, from what its own system calls returned.
 */
#pragma once

#include <stdatomic.h>
#include <sys/mman.h>

#include "factory.h"

#define BOARD_SIZE 512

enum { HELD_READ = 1, HELD_WRITE = 2, HELD_BOTH = HELD_READ | HELD_WRITE };

struct held {
	pid_t pid;
	uid_t uid;
	uint64_t start_ticks; /* of the process: field 22 of its /proc/self/stat */
	char command[16];
	int fd; /* or -1: addresses */
	uint64_t start, end, offset;
	unsigned access;
	unsigned side; /* which of the subject's ends */
	bool closed;   /* it was held, and is not any more */
};

struct board {
	atomic_uint count;
	atomic_uint expected, ready; /* processes */
	struct held items[BOARD_SIZE];
};

/* What is to be held. */
struct subject {
	struct board *board;
	const char *name; /* path of a file, name of a queue or semaphore */
	/* A new descriptor of that end, for that access (0: O_PATH); -1 with errno. */
	int (*open)(const struct subject *subject, unsigned side, unsigned access);
	/* What has no name is inherited: descriptors of the maker's, 0 for none, and memory.
	 * Each process lets go of these when its actions are done, and so does the maker. */
	int ends[2];
	char *memory;
	int id;	       /* System V segment */
	uint64_t size; /* bytes, of a mapping of it */
	const void *more; /* what its open has to know */
};

/* A process while it does its actions. */
struct holding_process {
	const struct subject *subject;
	int last_fd; /* the descriptor opened last, or -1 */
	unsigned last_held; /* its line on the board */
	bool keeps_memory;
};

/* holding.c */
struct board *board_new(void);
/* The calling process holds this; pid, uid and the like are filled in. Returns its line. */
unsigned board_add(struct board *board, struct held held);
/* What the process `from` wrote among the first count lines is held by the calling one
 * too: it is its child, and may see what its parent did since it was born. */
void board_inherit(struct board *board, pid_t from, unsigned count);
void board_truth(struct board *board, struct truth *truth);

/* hold_memory.c */
typedef void hold_fn(struct holding_process *p, unsigned side, unsigned access);
hold_fn hold_mapping, hold_private_mapping, hold_second_page, hold_semaphore, hold_attachment;
hold_fn keep_memory, keep_head, keep_tail, keep_around, keep_protected, keep_moved;

/* hold_actions.c */
int subject_open(const struct subject *subject, unsigned side, unsigned access);
int open_flags(unsigned access);
/* Another descriptor of the same open file description: subject.open of what has no name. */
int open_copy(const struct subject *subject, unsigned side, unsigned access);
/* Another open file description of the same file: the same for files without a name. */
int open_again(const struct subject *subject, unsigned side, unsigned access);
void close_ends(const struct subject *subject);
/* Does the action, or exits. */
void hold_act(struct holding_process *p, const char *text);

/* hold_start.c: starts the processes of holders= and waits until they hold what they
 * should; the maker itself keeps nothing. */
void hold_all(struct job *job, struct subject *subject);
/* The two halves of that: between them the maker makes what nobody is to inherit. */
void hold_start(struct job *job, struct subject *subject);
void hold_end(struct job *job, struct subject *subject);
/* Lets a process of holders= go on living, with nothing to do. */
void wait_forever(void) __attribute__((noreturn));
void let_go(const struct holding_process *p);

/* wait_calls.c: calls that a process may be blocked in, on the descriptor that it opened last */
struct wait_call {
	const char *name;
	void (*wait)(int fd);
	long number, alternative; /* of the system call */
};

const struct wait_call *wait_call_find(const char *name);
