/* SPDX-License-Identifier: MIT */
/*
 * Memory of other processes, read without waiting for the file system behind it: only what
 * is in memory already. The task is stopped by nothing, and no page is brought in.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "lib/base.h"

/*
 * The memory of a task, for who reads it at many addresses: threads of a process share it. tid and
 * proc as below.
 */
struct memory {
	uint32_t tid;
	int pagemap; /* /proc/TID/pagemap, or -1: nothing can be read */
};

void memory_open(struct memory *memory, int proc, uint32_t tid);
/* As memory_read(). */
int memory_read_from(const struct memory *memory, uint64_t address, void *to, size_t size) _must_check_;
/* For _cleanup_, too. */
void memory_close(struct memory *memory);

/*
 * Reads what lies at an address of the task `tid` of proc (a directory descriptor; its numbers
 * must be those of this process's PID namespace), not past the end of a page. Bytes read,
 * -EAGAIN: the page is not in memory, or -errno.
 */
ssize_t memory_read_page(int proc, uint32_t tid, uint64_t address, void *to, size_t max) _must_check_;
/* Reads exactly so many bytes. 0, -EAGAIN: not all of them are in memory, or -errno. */
int memory_read(int proc, uint32_t tid, uint64_t address, void *to, size_t size) _must_check_;
/* The string at an address. 0, -ENAMETOOLONG, or as memory_read(). */
int memory_read_string(int proc, uint32_t tid, uint64_t address, char text[static PATH_MAX]) _must_check_;
