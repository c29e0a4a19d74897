/* SPDX-License-Identifier: MIT */
/* Unix domain sockets of this network namespace, as sock_diag(7) tells them. */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "model/warnings.h"

struct unix_socket {
	uint32_t inode;
};

struct unix_sockets {
	struct unix_socket *items;
	size_t count;
	struct arena arena;
};

/* A source that cannot be read leaves a warning. 0 or -ENOMEM. */
int unix_sockets_read(struct unix_sockets *s, struct warnings *warnings) _must_check_;
void unix_sockets_free(struct unix_sockets *s);
