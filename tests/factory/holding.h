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

enum { HELD_READ = 1, HELD_WRITE = 2 };

struct held {
	pid_t pid;
	uid_t uid;
	uint64_t start_ticks; /* of the process: field 22 of its /proc/self/stat */
	char command[16];
	int fd; /* or -1: addresses */
	uint64_t start, end;
	unsigned access;
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
	int (*open)(const char *name, int flags); /* a descriptor of it */
	int id;		  /* System V segment */
	uint64_t size;	  /* bytes, of a mapping of it */
};

/* holding.c */
struct board *board_new(void);
/* The calling process holds this; pid, uid and the like are filled in. */
void board_add(struct board *board, struct held held);
/* What the process `from` wrote among the first count lines is held by the calling one
 * too: it is its child, and may see what its parent did since it was born. */
void board_inherit(struct board *board, pid_t from, unsigned count);
void board_truth(struct board *board, struct truth *truth);

/* hold_actions.c: starts the processes of holders= and waits until they hold what they should. */
void hold_start(struct job *job, const struct subject *subject);
