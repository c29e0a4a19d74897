/* SPDX-License-Identifier: MIT */
/* Internet sockets of a network namespace, as sock_diag(7) tells them. */
#pragma once

#include "lib/arena.h"
#include "lib/hash.h"
#include "model/warnings.h"

/* What the kernel can tell of: indices of inet_protocols. MPTCP comes first, so that an inode
 * number means its socket, not the TCP ones below it, which have the same. */
enum inet_protocol {
	INET_MPTCP,
	INET_TCP,
	INET_UDP,
	INET_RAW,
	INET_UDPLITE,
	INET_SCTP,
	INET_ICMP,
	INET_PROTOCOLS,
};

struct inet_protocol_info {
	const char *name;
	int type;	 /* SOCK_STREAM ... */
	uint16_t number; /* IPPROTO_TCP ... */
	bool common;	 /* its absence is worth a warning */
};

extern const struct inet_protocol_info inet_protocols[INET_PROTOCOLS];

/* States as the kernel numbers them (net/tcp_states.h). */
enum inet_state {
	INET_ESTABLISHED = 1,
	INET_SYN_SENT,
	INET_SYN_RECV,
	INET_FIN_WAIT_1,
	INET_FIN_WAIT_2,
	INET_TIME_WAIT,
	INET_UNCONNECTED,
	INET_CLOSE_WAIT,
	INET_LAST_ACK,
	INET_LISTEN,
	INET_CLOSING,
	INET_NEW_SYN_RECV,
	INET_BOUND,
};

struct inet_end {
	uint8_t address[16]; /* IPv6; IPv4 mapped into it: ::ffff:1.2.3.4 */
	uint16_t port;	     /* of raw sockets: the IP protocol */
};

struct inet_socket {
	uint64_t cookie; /* never used again; 0: not told */
	uint64_t cgroup; /* id of its control group; 0: not told */
	uint32_t inode;	 /* 0: no process holds it */
	uint32_t uid;
	uint32_t receive_queue; /* bytes; of a listening one connections to accept */
	uint32_t send_queue;	/* bytes; of a listening one its backlog */
	uint32_t interface;	/* index of the one it is bound to, or 0 */
	uint8_t protocol;	/* of enum inet_protocol */
	uint8_t state;		/* of enum inet_state */
	bool v6;
	bool v6_only;	  /* of a server: IPv4 does not reach it */
	bool shares_ends; /* others are in its very place: see by_ends */
	struct inet_end local, remote;
};

struct inet_sockets {
	struct inet_socket *items;
	size_t count;
	struct hash by_inode, by_cookie;
	/* Connected sockets and those of datagrams: the first with each digest of both ends. */
	struct hash by_ends;
	uint64_t bad; /* answers that could not be understood */
};

/* diag: of sock_diag_open(), in the network namespace in question; negative: in that of this thread.
 * A source that cannot be read leaves a warning. 0 or -ENOMEM. */
int inet_sockets_read(struct inet_sockets *s, int diag, struct warnings *warnings) _must_check_;
void inet_sockets_free(struct inet_sockets *s);
/* Builds the maps of items, once; what is there twice goes. 0 or -ENOMEM. */
int inet_sockets_index(struct inet_sockets *s) _must_check_;
/* The index of a socket, or -ENOENT. */
int64_t inet_sockets_find(const struct inet_sockets *s, uint32_t inode);
int64_t inet_sockets_find_cookie(const struct inet_sockets *s, uint64_t cookie);
/* The socket of this machine at the other end of a connection, or that datagrams go to. Its
 * index, or -ENOENT: there is none, or it is one of several (SO_REUSEPORT). */
int64_t inet_sockets_peer(const struct inet_sockets *s, const struct inet_socket *socket);
/* Ends exactly this socket; the cookie is compared. 0 or -errno. */
int inet_socket_destroy(const struct inet_socket *socket, int diag) _must_check_;
/* Whether the end is an IPv4 address, or all of them. */
bool inet_end_is_v4(const struct inet_end *end);

/* Takes a line of /proc/net/raw, icmp and the like apart. 0 or -EBADMSG. */
int inet_line_parse(struct span line, enum inet_protocol protocol, bool v6,
		    struct inet_socket *out) _must_check_;
/* Takes the payload of an answer apart. 0 or -EBADMSG. */
int inet_answer_parse(struct span payload, enum inet_protocol protocol, struct inet_socket *out) _must_check_;
