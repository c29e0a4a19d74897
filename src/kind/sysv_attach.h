/* SPDX-License-Identifier: MIT */
/* What of a System V segment only a process that has it attached can tell. */
#pragma once

#include "kind/kind.h"

/* Where the kind's table keeps them. */
struct attach_fields {
	size_t hugetlb, huge_page_size, noreserve, content, content_read;
};

/* Fills those fields as far as they are wanted. 0 or -ENOMEM. */
int sysv_attach_project(struct projector *p, const struct sysv_shm_row *row, struct record *r,
			const struct attach_fields *at) _must_check_;
