/* SPDX-License-Identifier: MIT */
/* Where to look: which /proc, and what its process numbers mean. */
#pragma once

#include "lib/base.h"

struct scan_context {
	int proc;      /* directory descriptor of /proc, or of --procfs; -1: there is none */
	bool own_proc; /* it is /proc: system calls and it speak of the same system */
	bool own_pids; /* its numbers are those of this process's PID namespace */
	bool recorded; /* it is no proc file system, but a tree that was recorded from one */
	/* -N: which namespaces are looked at beside that of this process ("all"), or in place of it: PIDs,
	 * their numbers, or paths of them; none: only that. */
	const char **places;
	size_t nplaces;
	bool implied; /* nobody said -N: they follow from --procfs */
};

/*
 * Opens the context on a directory of a proc file system (NULL: /proc).
 * 0 or -errno; -ENOTDIR also if it is no proc file system of any sort.
 */
int scan_context_open(struct scan_context *context, const char *procfs) _must_check_;
/* The text of a link of this process, such as "ns/ipc"; "" if it cannot be read. */
void read_own_link(const char *name, char *text, size_t size);
/* Whether a /proc (directory descriptor) is that of the first PID namespace: no process is without
 * a number there. */
bool proc_is_initial(int proc);
void scan_context_close(struct scan_context *context);
