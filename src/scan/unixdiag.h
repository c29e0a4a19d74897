/* SPDX-License-Identifier: MIT */
/* Unix domain sockets of this network namespace, as sock_diag(7) tells them. */
#pragma once

#include "lib/buf.h"
#include "lib/hash.h"
#include "model/warnings.h"
#include "scan/mountinfo.h"

/* Of the kernel's TCP states, those that a unix socket can be in. */
enum unix_state {
	UNIX_ESTABLISHED = 1,
	UNIX_CONNECTING = 2, /* SYN_SENT */
	UNIX_UNCONNECTED = 7,
	UNIX_LISTENING = 10,
};

enum unix_flag {
	UNIX_HAS_FILE = 1 << 0, /* device and file are known: it was bound to a path */
	UNIX_HAS_UID = 1 << 1,
	UNIX_HAS_QUEUES = 1 << 2,
	UNIX_ABSTRACT = 1 << 3,
	UNIX_WAITS = 1 << 4,	   /* it waits to be accepted by `peer` */
	UNIX_SHARES_FILE = 1 << 5, /* more than this one of by_file have its unix_file_key() */
};

/* There may be hundreds of thousands: 48 bytes. */
struct unix_socket {
	uint64_t cookie; /* never used again */
	uint32_t inode;
	uint32_t peer; /* inode of the socket at the other end, or 0 */
	uint32_t uid;
	uint32_t device;	/* of the file, packed as device_pack() does */
	uint32_t file;		/* the lower 32 bits of its inode number: the kernel tells no more */
	uint32_t receive_queue; /* bytes to read; of a listening one clients that wait */
	uint32_t send_queue;	/* memory of what is not read yet; of a listening one its backlog */
	uint32_t name;		/* where it begins in names */
	uint8_t name_len;	/* 0: it has none */
	uint8_t type;		/* SOCK_STREAM ... */
	uint8_t state;		/* of enum unix_state */
	uint8_t shutdown;	/* 1: nothing can be received any more, 2: nothing sent */
	uint8_t flags;		/* of enum unix_flag */
};

/* A client that waits to be accepted: indices. */
struct unix_pending {
	uint32_t listener, client;
};

struct unix_sockets {
	struct unix_socket *items;
	size_t count;
	struct buf names;
	struct hash by_inode;
	/* Sockets that others can connect or send to: the first with each unix_file_key(),
	 * and with each digest of a name. The key is but a hint which file it is: a file's
	 * inode number may have more bits, and subvolumes repeat each other's. */
	struct hash by_file, by_name;
	struct mounts mounts;	      /* what the devices of files mean; may be empty */
	struct unix_pending *pending; /* in the order of listeners */
	size_t npending;
	uint64_t bad; /* answers that could not be understood */
};

/* What to ask of each socket beside what it is and whose: each costs as much as all of that, or more, for the
 * kernel then looks at another part of every socket. */
enum unix_detail {
	UNIX_TELL_ADDRESS = 1 << 0,
	UNIX_TELL_QUEUES = 1 << 1,
	UNIX_TELL_PEER = 1 << 2, /* with the clients that wait to be accepted, and so with queues */
};

/* diag: of sock_diag_open(), in the network namespace in question; negative: in that of this thread.
 * details: of enum unix_detail, or-ed together. A source that cannot be read leaves a warning. 0 or -ENOMEM.
 */
int unix_sockets_read(struct unix_sockets *s, int diag, unsigned details,
		      struct warnings *warnings) _must_check_;
void unix_sockets_free(struct unix_sockets *s);
/* The index of the socket with this inode number, or -ENOENT. */
int64_t unix_sockets_find(const struct unix_sockets *s, uint32_t inode);
/* Whether others can connect or send to it by its name. An accepted socket has its listener's
 * name, but only the listener can be reached by it. */
bool unix_socket_is_reachable(const struct unix_socket *u);
/* Its name: a path as it was bound, or "@" and the bytes of an abstract one. */
struct span unix_socket_name(const struct unix_sockets *s, const struct unix_socket *u);
/* The first client that waits for this listener in s->pending; how many in *count. */
const struct unix_pending *unix_sockets_pending(const struct unix_sockets *s, size_t listener, size_t *count);
/* The key of a file in by_file: its device packed, and the lower 32 bits of its inode number. */
static inline uint64_t unix_file_key(uint32_t device, uint32_t file)
{
	return (uint64_t)device << 32 | file;
}

/* One answer, taken apart. */
struct unix_answer {
	struct unix_socket socket; /* without its name */
	struct span name;	   /* as sun_path holds it, or empty */
	struct span clients;	   /* 32-bit inode numbers of those that wait; not aligned */
};

/* Takes the payload of an answer apart. 0 or -EBADMSG. */
int unix_answer_parse(struct span payload, struct unix_answer *out) _must_check_;
/* The steps of unix_sockets_read(), on struct unix_sockets: adds the socket that an answer tells of, or
 * counts it as bad. 0 or -ENOMEM. */
int unix_sockets_take(void *sockets, struct span payload) _must_check_;
/* Then builds the maps, once. One that moved in the kernel's table while that was read may be there twice:
 * one of both goes. 0 or -ENOMEM. */
int unix_sockets_index(struct unix_sockets *s) _must_check_;
/* Then notes, of answers about listening sockets, who waits for them; in the order of the answers.
 * 0 or -ENOMEM. */
int unix_sockets_take_clients(void *sockets, struct span payload) _must_check_;
