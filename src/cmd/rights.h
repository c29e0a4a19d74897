/* SPDX-License-Identifier: MIT */
/*
 * What commands keep of the capabilities (capabilities(7)) that the program was started with. All others
 * are given up before anything is read that other users have a say in: a mistake in one of the parsers
 * is then worth less to whom it serves. Whoever has none has nothing to give up.
 *
 * With uid 0 and without a capability one still owns root's files; but that is all.
 */
#pragma once

#include "lib/capability.h"

struct context;

/* Other users' processes: descriptors, mappings, namespaces, memory and system calls; for some of that
 * the directories of /proc, which are theirs, have to be read. */
#define RIGHTS_PROCESSES (CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_DAC_READ_SEARCH))
/* What is behind their mappings (/proc/PID/map_files); either will do. And the first: queues where no
 * mqueue file system is mounted (fsopen(2)); clean and remove: other users' System V objects. */
#define RIGHTS_MAPPED (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_CHECKPOINT_RESTORE))
/* Other namespaces (setns(2)): mount namespaces take both. */
#define RIGHTS_PLACES (CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SYS_CHROOT))
/* Other users' System V values and messages. */
#define RIGHTS_SYSV CAPABILITY(CAP_IPC_OWNER)
/*
 * Other users' files: to read them, and without moving the access time (O_NOATIME). To ask a socket file
 * whether anybody is bound to it, connect(2) wants to be allowed to write. Besides, metrics writes its
 * --textfile into a directory of the exporter's, clean and remove into others, sticky ones among them.
 */
#define RIGHTS_FILES (CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_DAC_OVERRIDE))

/* To look at nothing. */
#define RIGHTS_NONE ((uint64_t)0)
/* To look at everything. */
#define RIGHTS_LOOK (RIGHTS_PROCESSES | RIGHTS_MAPPED | RIGHTS_PLACES | RIGHTS_SYSV | RIGHTS_FILES)
/* The same, with a lease as the proof that nobody has another user's file open. */
#define RIGHTS_PROVE (RIGHTS_LOOK | CAPABILITY(CAP_LEASE))
/* To end what is not ours: connections (SOCK_DESTROY), leases, processes that hold it. */
#define RIGHTS_REMOVE (RIGHTS_PROVE | CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_KILL))
/* To make what create can make: --owner, signals for other users' processes, ports below 1024, leases;
 * huge pages, and sizes above the limits of ordinary users; and to find the file that a socket is bound
 * to, whatever has its name by then (SIOCUNIXFILE: CAP_NET_ADMIN). */
#define RIGHTS_CREATE                                                                                        \
	(RIGHTS_PROVE | CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_NET_BIND_SERVICE) |    \
	 CAPABILITY(CAP_IPC_LOCK) | CAPABILITY(CAP_SYS_RESOURCE) | CAPABILITY(CAP_NET_ADMIN))

/* Gives up all but what the command keeps. -1 to go on, or the exit status after a message. */
int give_up_rights(struct context *c);
