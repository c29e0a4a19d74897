/* SPDX-License-Identifier: MIT */
/*
 * One-line messages on standard error: "ipcctl: WHAT: WHY". Only main.c and
 * cmd/ print; lower layers return -errno. The whole message is escaped, so the
 * arguments are raw bytes and may be hostile.
 */
#pragma once

#include "lib/base.h"

struct diag {
	int fd;		 /* where messages go */
	bool quiet;	 /* say nothing but errors of usage */
	unsigned errors; /* how many diag_error() */
};

/* Something asked for was not found, refused or failed: exit status 1. */
void diag_error(struct diag *d, const char *fmt, ...) _printf_(2, 3);
/* A remark that changes no exit status; silent with quiet. */
void diag_note(struct diag *d, const char *fmt, ...) _printf_(2, 3);
/* The same with texts that were escaped already. */
void diag_error_escaped(struct diag *d, const char *text);
void diag_note_escaped(struct diag *d, const char *text);
/* Wrong usage: prints the message, quiet or not; returns 2, the exit status. */
int diag_usage(struct diag *d, const char *fmt, ...) _printf_(2, 3);
/* "Permission denied" and the like; takes errno or -errno. */
const char *error_text(int error);
