/* SPDX-License-Identifier: MIT */
/* What the child process does that enters a place, and how it tells what it found. */
#pragma once

#include "scan/scan.h"

/* Descriptors that a child hands out, in this order. */
enum given { GIVEN_IPC, GIVEN_QUEUES, GIVEN_DIAG, GIVEN_SHM, GIVEN = GIVEN_MOST };

/*
 * What a child tells first. The rows of the tables follow; and then, for it may wait for ever for that, an
 * int32_t: what became of PLACE_SHM, 0 with its descriptor or -errno.
 */
struct place_answer {
	int32_t errors[PLACE_PARTS]; /* 0 or -errno: why nothing is known of that part */
	int32_t queues;		     /* the same of the queues alone */
	bool given[GIVEN];
	struct {
		uint64_t count, columns;
		uint32_t bad_rows;
		int32_t error;
		bool from_stat;
	} tables[3];
};

/*
 * Enters the place, gathers, and writes a struct place_answer with the descriptors, and what follows it,
 * to the socket `to`. In a child process of `parent`: it ends, and returns to
 * nobody.
 */
void place_look(const struct place *place, const struct scan_context *context,
		const struct scan_request *request, unsigned sources, int to, pid_t parent)
	__attribute__((noreturn));
