/* SPDX-License-Identifier: MIT */
/* Questions to sock_diag(7) over netlink(7), and the framing of its answers. */
#pragma once

#include "lib/base.h"

struct netlink_message {
	uint16_t type, flags;
	struct span payload;
};

/* Cuts the next message, or attribute, off *rest. 1, 0 at the end, or -EBADMSG: its length is a lie. */
int netlink_next(struct span *rest, struct netlink_message *message) _must_check_;
int attribute_next(struct span *rest, unsigned *type, struct span *value) _must_check_;
/* The number that an attribute holds. 0 or -EBADMSG: it is too short. */
int attribute_u8(struct span value, uint8_t *out) _must_check_;
int attribute_u32(struct span value, uint32_t *out) _must_check_;
int attribute_u64(struct span value, uint64_t *out) _must_check_;
/* A cookie in two halves, as requests and answers carry it. */
uint64_t cookie_join(const uint32_t halves[2]);
void cookie_split(uint64_t cookie, uint32_t halves[2]);

/* A socket to ask with, of the network namespace that this thread is in. A descriptor or -errno. */
int sock_diag_open(void) _must_check_;
/*
 * Both ask through `diag`; negative: through a socket of their own.
 * Asks for all sockets that the request means and calls take for the payload of each
 * answer. 0; 1: the table changed so much meanwhile that some may be missing or doubled;
 * or -errno, of take too. -ENOENT: the kernel, or a module that it lacks, cannot tell.
 */
int sock_diag_dump(int diag, struct span request, int (*take)(void *data, struct span payload),
		   void *data) _must_check_;
/* Ends the one socket that the request means. 0 or -errno. */
int sock_diag_destroy(int diag, struct span request) _must_check_;
