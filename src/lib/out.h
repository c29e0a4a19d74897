/* SPDX-License-Identifier: MIT */
/*
 * The one way to standard output: buffered, handles short writes, EINTR and a
 * non-blocking descriptor, and remembers the first failure until exit.
 */
#pragma once

#include "lib/buf.h"

struct out {
	int fd;
	int error; /* 0, or the -errno of the first failure */
	struct buf buf;
};

void out_init(struct out *o, int fd);
/* The buffer that takes the text; out_flush_if_full() sends it on. */
struct buf *out_buf(struct out *o);
/* Makes room for all that may gather, and a line of some length more: what is done then can be told, too, if memory
 * runs out. 0 or -ENOMEM. */
int out_reserve(struct out *o) _must_check_;
/* Writes when enough has gathered to be worth a system call. Returns o->error. */
int out_flush_if_full(struct out *o);
/* Writes text after all that is buffered, without copying it. */
void out_write(struct out *o, struct span text);
/* Writes everything. Returns 0 or the first failure ever met. */
int out_flush(struct out *o);
/* Flushes, frees, and returns 0 or the first failure. Leaves the descriptor open. */
int out_finish(struct out *o);

/* Writes all n bytes to fd; 0 or -errno. Waits where fd would block. */
int write_all(int fd, const char *data, size_t n) _must_check_;
