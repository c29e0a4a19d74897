/* SPDX-License-Identifier: MIT */
#include "scan/unixdiag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include "lib/vec.h"
#include "scan/sockdiag.h"

#ifndef UDIAG_SHOW_UID
#define UDIAG_SHOW_UID 0x40
#endif
#define ATTRIBUTE_UID 7 /* UNIX_DIAG_UID, Linux 5.3 */

/* A dump that was interrupted is repeated so often. */
#define MOST_TRIES 4

static int parse_file(struct span value, struct unix_socket *u)
{
	struct unix_diag_vfs vfs;

	if (value.len < sizeof(vfs))
		return -EBADMSG;
	memcpy(&vfs, value.ptr, sizeof(vfs));
	u->device = vfs.udiag_vfs_dev;
	u->file = vfs.udiag_vfs_ino;
	u->flags |= UNIX_HAS_FILE;
	return 0;
}

static int parse_queues(struct span value, struct unix_socket *u)
{
	struct unix_diag_rqlen queues;

	if (value.len < sizeof(queues))
		return -EBADMSG;
	memcpy(&queues, value.ptr, sizeof(queues));
	u->receive_queue = queues.udiag_rqueue;
	u->send_queue = queues.udiag_wqueue;
	u->flags |= UNIX_HAS_QUEUES;
	return 0;
}

static int parse_name(struct span value, struct unix_answer *out)
{
	/* sun_path has 108 bytes, and the kernel may add a zero byte to a path. */
	if (value.len > 109)
		return -EBADMSG;
	/* Of several names the last counts, and what it is. */
	out->socket.flags &= (uint8_t)~UNIX_ABSTRACT;
	if (value.len > 0 && value.ptr[0] == '\0')
		out->socket.flags |= UNIX_ABSTRACT;
	else if (value.len > 0 && value.ptr[value.len - 1] == '\0')
		value.len--;
	out->name = value;
	return 0;
}

static int parse_attribute(unsigned type, struct span value, struct unix_answer *out)
{
	struct unix_socket *u = &out->socket;

	switch (type) {
	case UNIX_DIAG_NAME:
		return parse_name(value, out);
	case UNIX_DIAG_VFS:
		return parse_file(value, u);
	case UNIX_DIAG_PEER:
		return attribute_u32(value, &u->peer);
	case UNIX_DIAG_ICONS:
		out->clients = (struct span){ value.ptr, value.len & ~(size_t)3 };
		return 0;
	case UNIX_DIAG_RQLEN:
		return parse_queues(value, u);
	case UNIX_DIAG_SHUTDOWN:
		return attribute_u8(value, &u->shutdown);
	case ATTRIBUTE_UID:
		u->flags |= UNIX_HAS_UID;
		return attribute_u32(value, &u->uid);
	default:
		return 0;
	}
}

int unix_answer_parse(struct span payload, struct unix_answer *out)
{
	struct unix_diag_msg head;
	struct span value;
	unsigned type;
	int r;

	if (payload.len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, payload.ptr, sizeof(head));
	if (head.udiag_family != AF_UNIX)
		return -EBADMSG;
	*out = (struct unix_answer){ .socket = { .cookie = cookie_join(head.udiag_cookie),
						 .inode = head.udiag_ino,
						 .type = head.udiag_type,
						 .state = head.udiag_state } };
	payload = span_from(payload, sizeof(head));
	while ((r = attribute_next(&payload, &type, &value)) > 0) {
		r = parse_attribute(type, value, out);
		if (r < 0)
			return r;
	}
	return r;
}

int unix_sockets_take(void *sockets, struct span payload)
{
	struct unix_sockets *s = sockets;
	struct unix_answer a;

	if (unix_answer_parse(payload, &a) < 0) {
		s->bad++;
		return 0;
	}
	/* Not accepted yet: it is counted with its listener, and is nobody's. */
	if (a.socket.inode == 0)
		return 0;
	if (s->count >= UINT32_MAX || s->names.len > UINT32_MAX - UINT8_MAX ||
	    vec_reserve(&s->items, s->count, sizeof(*s->items)) < 0)
		return -ENOMEM;
	a.socket.name = (uint32_t)s->names.len;
	a.socket.name_len = (uint8_t)a.name.len;
	buf_put_span(&s->names, a.name);
	if (s->names.failed)
		return -ENOMEM;
	if (a.socket.flags & UNIX_ABSTRACT)
		s->names.data[a.socket.name] = '@';
	s->items[s->count++] = a.socket;
	return 0;
}

int unix_sockets_take_clients(void *sockets, struct span payload)
{
	struct unix_sockets *s = sockets;
	struct unix_answer a;
	int64_t listener, client;
	uint32_t inode;

	if (unix_answer_parse(payload, &a) < 0)
		return 0;
	listener = unix_sockets_find(s, a.socket.inode);
	if (listener < 0 || s->items[listener].cookie != a.socket.cookie)
		return 0;
	for (size_t at = 0; at < a.clients.len; at += sizeof(inode)) {
		memcpy(&inode, a.clients.ptr + at, sizeof(inode));
		client = unix_sockets_find(s, inode);
		/* One with a peer was accepted in between. */
		if (client < 0 || s->items[client].peer != 0)
			continue;
		if (vec_reserve(&s->pending, s->npending, sizeof(*s->pending)) < 0)
			return -ENOMEM;
		s->pending[s->npending++] = (struct unix_pending){ (uint32_t)listener, (uint32_t)client };
		s->items[client].peer = a.socket.inode;
		s->items[client].flags |= UNIX_WAITS;
	}
	return 0;
}

static int dump(struct unix_sockets *s, int diag, uint32_t states, uint32_t show,
		int (*take)(void *data, struct span payload))
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX,
					 .udiag_states = states,
					 .udiag_show = show };

	return sock_diag_dump(diag, (struct span){ (const char *)&request, sizeof(request) }, take, s);
}

static void reset(struct unix_sockets *s)
{
	s->count = 0;
	s->bad = 0;
	buf_reset(&s->names);
}

bool unix_socket_is_reachable(const struct unix_socket *u)
{
	return u->state == UNIX_LISTENING || u->state == UNIX_UNCONNECTED || u->type == SOCK_DGRAM;
}

/* Adds a value under a key that has none yet. That many sockets claim to be the same
 * costs no more time. */
static int add_first(struct hash *h, uint64_t key, size_t value)
{
	return hash_find(h, key, NULL) ? 0 : hash_add(h, key, (uint32_t)value);
}

/* kept: the index that u will have. */
static int add_file(struct unix_sockets *s, const struct unix_socket *u, size_t kept)
{
	uint64_t key = unix_file_key(u->device, u->file);
	const struct hash_slot *known = hash_find(&s->by_file, key, NULL);

	if (!known)
		return hash_add(&s->by_file, key, (uint32_t)kept);
	s->items[known->value].flags |= UNIX_SHARES_FILE;
	return 0;
}

int unix_sockets_index(struct unix_sockets *s)
{
	size_t kept = 0;

	if (hash_reserve(&s->by_inode, s->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		const struct unix_socket *u = &s->items[i];
		const struct hash_slot *known = hash_find(&s->by_inode, u->inode, NULL);

		if (known && s->items[known->value].cookie == u->cookie)
			continue;
		if (!known && hash_add(&s->by_inode, u->inode, (uint32_t)kept) < 0)
			return -ENOMEM;
		if (unix_socket_is_reachable(u) && u->flags & UNIX_HAS_FILE && add_file(s, u, kept) < 0)
			return -ENOMEM;
		if (unix_socket_is_reachable(u) && u->name_len > 0 &&
		    add_first(&s->by_name, hash_bytes(unix_socket_name(s, u)), kept) < 0)
			return -ENOMEM;
		s->items[kept++] = *u;
	}
	s->count = kept;
	return 0;
}

static int by_listener(const void *a, const void *b)
{
	const struct unix_pending *x = a, *y = b;

	return (x->listener > y->listener) - (x->listener < y->listener);
}

/*
 * Asked for in a second go, of listening sockets only: an answer with more clients than
 * the kernel's buffer has room for would end the dump, and with it the listing.
 */
static int find_clients(struct unix_sockets *s, int diag)
{
	bool any = false;
	int r;

	for (size_t i = 0; i < s->count && !any; i++)
		any = s->items[i].state == UNIX_LISTENING && s->items[i].receive_queue > 0;
	r = any ? dump(s, diag, 1U << UNIX_LISTENING, UDIAG_SHOW_ICONS, unix_sockets_take_clients) : 0;
	if (s->npending > 0)
		qsort(s->pending, s->npending, sizeof(*s->pending), by_listener);
	return r;
}

static void warn(struct warnings *warnings, int r, uint64_t bad)
{
	static const char subject[] = "unix-socket";

	if (r == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = subject,
							  .error = EOPNOTSUPP,
							  .text = "the kernel has no unix_diag" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = subject, .error = -r });
	else if (r > 0)
		warnings_add(warnings,
			     &(struct warning){ .subject = subject,
						.error = EAGAIN,
						.text = "sockets came and went too quickly to see all" });
	if (bad > 0)
		warnings_add(warnings, &(struct warning){ .subject = subject,
							  .error = EBADMSG,
							  .text = "answers of the kernel that could not be "
								  "understood are left out" });
}

static uint32_t to_be_shown(unsigned details)
{
	return UDIAG_SHOW_UID | (details & UNIX_TELL_ADDRESS ? UDIAG_SHOW_NAME | UDIAG_SHOW_VFS : 0) |
	       (details & (UNIX_TELL_QUEUES | UNIX_TELL_PEER) ? UDIAG_SHOW_RQLEN : 0) |
	       (details & UNIX_TELL_PEER ? UDIAG_SHOW_PEER : 0);
}

int unix_sockets_read(struct unix_sockets *s, int diag, unsigned details, struct warnings *warnings)
{
	int r = 1, clients = 0;

	*s = (struct unix_sockets){ 0 };
	for (int i = 0; i < MOST_TRIES && r > 0; i++) {
		reset(s);
		r = dump(s, diag, UINT32_MAX, to_be_shown(details), unix_sockets_take);
	}
	if (r != -ENOMEM && unix_sockets_index(s) < 0)
		r = -ENOMEM;
	if (r >= 0 && details & UNIX_TELL_PEER)
		clients = find_clients(s, diag);
	/* Without them no file is judged. */
	if (r == -ENOMEM || clients == -ENOMEM || mounts_read(&s->mounts) == -ENOMEM)
		return -ENOMEM;
	warn(warnings, r < 0 ? r : clients < 0 ? clients : r, s->bad);
	return 0;
}

void unix_sockets_free(struct unix_sockets *s)
{
	free(s->items);
	free(s->pending);
	buf_free(&s->names);
	hash_free(&s->by_inode);
	hash_free(&s->by_file);
	hash_free(&s->by_name);
	mounts_free(&s->mounts);
	*s = (struct unix_sockets){ 0 };
}

int64_t unix_sockets_find(const struct unix_sockets *s, uint32_t inode)
{
	const struct hash_slot *slot = inode ? hash_find(&s->by_inode, inode, NULL) : NULL;

	return slot ? (int64_t)slot->value : -ENOENT;
}

struct span unix_socket_name(const struct unix_sockets *s, const struct unix_socket *u)
{
	return u->name_len ? (struct span){ s->names.data + u->name, u->name_len } : SPAN("");
}

const struct unix_pending *unix_sockets_pending(const struct unix_sockets *s, size_t listener, size_t *count)
{
	size_t low = 0, high = s->npending, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->pending[middle].listener < listener)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < s->npending && s->pending[end].listener == listener; end++)
		;
	*count = end - low;
	return *count ? &s->pending[low] : NULL;
}
