/* SPDX-License-Identifier: MIT */
/* What the kinds of sockets share, and who is at the other end of a unix socket. */
#pragma once

#include "kind/holding.h"

/* Rows {ref, pid, start_time, command, user} of clients that wait to be accepted. */
extern const struct schema unix_client_schema;

struct object_key socket_key(uint32_t inode);
/* Roles of a socket's holders, who are all alike. */
struct holding_roles socket_roles(const char *role);
/* State and reason of a socket: it exists only while something holds it. more: what else is to be
 * said, with its comma, or "". */
void record_socket_state(struct projector *p, struct record *r, size_t state, size_t reason,
			 const struct holding_count *found, const char *more);
/* The holders of another socket as a list: the peer's. 0 or -ENOMEM. */
int record_peers(struct projector *p, struct record *r, size_t field, uint32_t inode) _must_check_;
/* The clients that wait for a listener. 0 or -ENOMEM. */
int record_unix_clients(struct projector *p, struct record *r, size_t field, size_t listener) _must_check_;

/* Where a table keeps what SO_PEERCRED tells; pid is followed by its command. */
struct credential_fields {
	size_t pid, uid, gid;
};
/* Credentials of the peer when it connected, through a copy of a descriptor. */
void record_credentials(struct projector *p, struct record *r, const struct credential_fields *at,
			const struct holding *first);
/* Descriptors that were sent to the socket and not received. */
void record_in_flight(struct projector *p, struct record *r, size_t field, const struct holding *first);
