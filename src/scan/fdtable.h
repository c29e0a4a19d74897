/* SPDX-License-Identifier: MIT */
/* Which numbers of a table of descriptors are in use, in ascending order. */
#pragma once

#include "lib/file.h"

/*
 * The kernel gives out the lowest free number, so that tables are dense, mostly. Then
 * it is quicker to try one number after the other than to have the directory /proc/PID/fd
 * listed, which looks each of them up beforehand. Past a gap the directory helps: read from
 * that position on, it tells the next numbers. Like a listing it goes up once, and tells
 * whatever was open all the time.
 *
 * Initialise with the descriptor of the directory, .counting: whether positions are known (of
 * fd_positions_known()), and .last = -1. names.buffer may be lent, and is the caller's to free.
 */
struct fd_reader {
	struct dir_reader names;
	bool counting; /* positions are known: numbers may be tried */
	bool listing;  /* the directory is being read, behind a gap */
	bool missed;   /* the number that was tried last is not in use */
	int last;      /* number that was told last, or -1 */
	int first;     /* of those that the directory told at one go */
	int told;      /* how many those are so far */
	int run;       /* numbers that were tried, and in use, since the directory was last asked */
	char name[20]; /* of the number that is tried */
};

/* Whether the directory's positions are what they have always been: the number, after "." and
 * "..". proc: the /proc in question, as a directory. */
bool fd_positions_known(int proc);
/*
 * The name of the next number in the directory, valid until the next call; reader->last is the
 * number. It may not be in use: say so with fd_reader_missed(), and whenever it could not be looked at:
 * a process that ends just now may refuse every number, those that were never in use too, and there
 * would be no end of them. 1, 0 at the end, or -errno.
 */
int fd_reader_next(struct fd_reader *reader, const char **name) _must_check_;
void fd_reader_missed(struct fd_reader *reader);
