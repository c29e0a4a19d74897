/* SPDX-License-Identifier: MIT */
/* Holding what `create` made: around a COMMAND, or until a signal or the timeout. */
#pragma once

#include <signal.h>

#include "cmd/cmd.h"
#include "kind/kind.h"

/* What signals were like before; COMMAND gets them back so. */
struct hold {
	sigset_t mask;
	struct sigaction child; /* of SIGCHLD */
	sigset_t ends;		/* those that end the holding: SIGINT, SIGTERM, SIGHUP, SIGIO if asked */
};

/* Options of kinds that are held; offsets into struct create_args. */
extern const struct opt hold_opts[];
extern const size_t nhold_opts;

/*
 * To be called before the object is made: what ends the holding waits from here on, so
 * that it finds nothing half made. Signals that were ignored stay so. A kind whose object has to be
 * waited for is made first: a signal ends the wait, and leaves nothing behind.
 */
void hold_begin(struct hold *h, const struct kind *k);
/* Waits for a signal, or so many seconds. The object is still the caller's. The signal, or 0. */
int hold_wait(const struct hold *h, const struct opt_u64 *timeout);
/*
 * Runs COMMAND with what report->made holds; closes the program's own copies (unless they
 * have to stay), so that COMMAND's are the last. Returns the exit status: COMMAND's, 128 and the signal that
 * ended it, or after a message 127 (not found) or 126 (cannot be run).
 */
int hold_run(struct context *c, const struct hold *h, const struct kind *k, struct report *report,
	     char **command);
