/* SPDX-License-Identifier: MIT */
/* What one process holds: its descriptors and its mappings. */
#pragma once

#include "scan/process.h"
#include "scan/walk.h"

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
