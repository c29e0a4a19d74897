/* SPDX-License-Identifier: MIT */
/* Internet sockets of this network namespace, as sock_diag(7) tells them. */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "model/warnings.h"

struct inet_socket {
	uint32_t inode;
};

struct inet_sockets {
	struct inet_socket *items;
	size_t count;
	struct arena arena;
};

/* A source that cannot be read leaves a warning. 0 or -ENOMEM. */
int inet_sockets_read(struct inet_sockets *s, struct warnings *warnings) _must_check_;
void inet_sockets_free(struct inet_sockets *s);
