/* SPDX-License-Identifier: MIT */
/* Socket files: whether a socket is still bound to one. */
#pragma once

#include "kind/common.h"

struct unix_file_verdict {
	const char *state, *reason; /* of state_values */
	bool asked;		    /* the kernel itself was: a connection */
	bool live;		    /* then: something is bound to it */
	bool listed;		    /* a socket that is listed is bound to it */
	bool ambiguous;		    /* one may be, or to another file of its number */
	uint32_t device;	    /* packed, as the kernel tells it of the sockets bound there */
};

/*
 * Asks the kernel whether anything is bound to a socket file, by a connect(2) that no
 * listener notices. 0, -ENOENT: it is gone, or -ESTALE: something else has its name.
 */
int unix_file_judge(const struct snapshot *s, const struct path_file *file,
		    struct unix_file_verdict *verdict) _must_check_;
/* The socket of s that is bound to the file at a path (symbolic links are followed): its index,
 * -ENOENT: there is none, -EAGAIN: it can't be told which, or -errno. */
int64_t unix_file_socket(const struct snapshot *s, const char *path);
/* Unlinks the file if it is the same still and nothing is bound to it. As kind->remove. */
int unix_file_remove(struct snapshot *s, const struct path_file *file, struct report *report);
