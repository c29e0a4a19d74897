/* SPDX-License-Identifier: MIT */
/* What one process holds: its descriptors and its mappings. */
#pragma once

#include "scan/holders.h"
#include "scan/process.h"

/* What one thread has found so far. */
struct walker {
	const struct holders_request *request;
	const struct internal_devices *devices; /* where segments live */
	const char *ipc_namespace;		/* ours: "ipc:[4026531839]", or "" */
	int proc;
	int64_t boot; /* of boot_time() */
	struct holder *items;
	size_t count;
	struct holding *holdings;
	size_t nholdings;
	struct nameless *nameless;
	size_t nnameless;
	struct arena arena;
	uint64_t unreadable;
	uint64_t threads; /* that were seen, of all processes */
	int error;	  /* 0, or -ENOMEM and the like: the walk is not whole */
};

/* The process under way. */
struct visit {
	struct walker *w;
	uint32_t pid;
	uint32_t holder; /* index, once it holds something; else NO_HOLDING */
	struct process_stat stat;
	uint32_t uid;
	uint32_t tid; /* while a thread's own descriptors are looked at, else 0 */
	bool refused; /* something of it could not be read */
	enum { NOT_ASKED, SAME, OTHER } ipc_namespace; /* is it ours? */
};

/* Looks at the descriptors in the directory `path` below dir, or at the mappings in
 * the file `path`. What is found goes into v->w. */
void visit_descriptors(struct visit *v, int dir, const char *path);
void visit_mappings(struct visit *v, int dir, const char *path);
/* Notes what an error (-errno, or 0) means for how complete the view is. */
void visit_failed(struct visit *v, int error);
