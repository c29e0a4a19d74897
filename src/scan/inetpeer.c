/* SPDX-License-Identifier: MIT */
/* Which socket of this machine is at the other end of another. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "scan/inetdiag.h"

/* In every network namespace (LOOPBACK_IFINDEX). */
#define LOOPBACK 1

/* A place where a socket may be. */
struct ends {
	enum inet_protocol protocol;
	struct inet_end here, there; /* there: zero for one that is not connected, and ... */
	uint32_t interface;	     /* ... only of such: what it is bound to, or 0 */
	bool v6_only;
};

static struct ends ends_of(const struct inet_socket *x)
{
	struct ends e = { .protocol = x->protocol, .here = x->local };

	if (x->remote.port) {
		e.there = x->remote;
	} else {
		e.interface = x->interface;
		e.v6_only = x->v6_only;
	}
	return e;
}

static uint64_t ends_digest(const struct ends *e)
{
	struct {
		uint8_t here[16], there[16];
		uint16_t here_port, there_port;
		uint32_t protocol, interface, v6_only;
	} key = {
		.here_port = e->here.port,
		.there_port = e->there.port,
		.protocol = e->protocol,
		.interface = e->interface,
		.v6_only = e->v6_only,
	};

	memcpy(key.here, e->here.address, sizeof(key.here));
	memcpy(key.there, e->there.address, sizeof(key.there));
	return hash_bytes((struct span){ (const char *)&key, sizeof(key) });
}

static bool same_end(const struct inet_end *a, const struct inet_end *b)
{
	return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static bool is_at(const struct inet_socket *x, const struct ends *e)
{
	struct ends own = ends_of(x);

	return own.protocol == e->protocol && same_end(&own.here, &e->here) &&
	       same_end(&own.there, &e->there) && own.interface == e->interface && own.v6_only == e->v6_only;
}

static bool is_datagram(const struct inet_socket *x)
{
	return inet_protocols[x->protocol].type == SOCK_DGRAM && x->protocol != INET_ICMP;
}

/* Many sockets may share an address: that costs no more time. kept: the index that x will have. */
static int add_ends(struct inet_sockets *s, const struct inet_socket *x, size_t kept)
{
	struct ends e = ends_of(x);
	uint64_t digest = ends_digest(&e);
	const struct hash_slot *known = hash_find(&s->by_ends, digest, NULL);

	if (!known)
		return hash_add(&s->by_ends, digest, (uint32_t)kept);
	s->items[known->value].shares_ends = true;
	return 0;
}

/* A socket that moved in the kernel's table while it was read may come twice. */
int inet_sockets_index(struct inet_sockets *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct inet_socket *x = &s->items[i];

		if (x->cookie && hash_find(&s->by_cookie, x->cookie, NULL))
			continue;
		if ((x->cookie && hash_add(&s->by_cookie, x->cookie, (uint32_t)kept) < 0) ||
		    (x->inode && !hash_find(&s->by_inode, x->inode, NULL) &&
		     hash_add(&s->by_inode, x->inode, (uint32_t)kept) < 0) ||
		    ((x->remote.port || is_datagram(x)) && add_ends(s, x, kept) < 0))
			return -ENOMEM;
		s->items[kept++] = *x;
	}
	s->count = kept;
	return 0;
}

/* Sockets that something may reach: one of them, and how many. */
struct found {
	size_t index;
	unsigned count;
};

static void look(const struct inet_sockets *s, const struct ends *e, struct found *found)
{
	const struct hash_slot *slot = hash_find(&s->by_ends, ends_digest(e), NULL);
	const struct inet_socket *x = slot ? &s->items[slot->value] : NULL;

	if (!x || !is_at(x, e))
		return;
	found->index = slot->value;
	found->count += x->shares_ends ? 2 : 1;
}

/*
 * Servers of datagrams at an address. What is sent on this machine comes by the loopback
 * interface, or as if by the one that the sender is bound to.
 */
static void look_for_servers(const struct inet_sockets *s, const struct inet_socket *client,
			     const struct inet_end *here, struct found *found)
{
	const uint32_t interfaces[] = { 0, LOOPBACK, client->interface };
	size_t n = client->interface > LOOPBACK ? 3 : 2;

	for (size_t i = 0; i < n; i++) {
		struct ends e = { .protocol = client->protocol, .here = *here, .interface = interfaces[i] };

		look(s, &e, found);
		e.v6_only = true;
		if (!inet_end_is_v4(&client->remote))
			look(s, &e, found);
	}
}

/* Whether the other end can only be on this machine: it has this end's address, or 127.x.x.x. */
static bool stays_here(const struct inet_socket *x)
{
	return memcmp(x->local.address, x->remote.address, sizeof(x->local.address)) == 0 ||
	       (inet_end_is_v4(&x->remote) && x->remote.address[12] == 127);
}

int64_t inet_sockets_peer(const struct inet_sockets *s, const struct inet_socket *socket)
{
	struct ends other = { .protocol = socket->protocol, .here = socket->remote, .there = socket->local };
	struct inet_end any6 = { .port = socket->remote.port }, any4 = any6;
	struct found found = { 0 };

	if (socket->remote.port == 0 || socket->protocol == INET_RAW)
		return -ENOENT;
	look(s, &other, &found);
	/* A server of datagrams is connected to nobody, and may be bound to all addresses. */
	if (found.count == 0 && is_datagram(socket))
		look_for_servers(s, socket, &socket->remote, &found);
	if (found.count == 0 && is_datagram(socket) && stays_here(socket)) {
		/* ::ffff:0.0.0.0; the kernel prefers it to [::], too. */
		any4.address[10] = any4.address[11] = 0xff;
		if (inet_end_is_v4(&socket->remote))
			look_for_servers(s, socket, &any4, &found);
		if (found.count == 0)
			look_for_servers(s, socket, &any6, &found);
	}
	return found.count == 1 ? (int64_t)found.index : -ENOENT;
}
