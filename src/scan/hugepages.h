/* SPDX-License-Identifier: MIT */
/* The sizes of huge pages that this kernel offers (/sys/kernel/mm/hugepages). */
#pragma once

#include "lib/base.h"

#define MOST_HUGE_PAGE_SIZES 8

struct huge_pages {
	bool read;
	size_t count;
	uint64_t sizes[MOST_HUGE_PAGE_SIZES]; /* bytes, ascending */
};

/* Reads them, until it succeeds; of a kernel that offers none, none. 0 or -errno. */
int huge_pages_read(struct huge_pages *h) _must_check_;
