/* SPDX-License-Identifier: MIT */
#include "kind/unix_peers.h"

#include <errno.h>
#include <sys/socket.h>

#include "kind/held.h"
#include "scan/fdinfo.h"

enum {
	CLIENT_REF,
	CLIENT_PID,
	CLIENT_START,
	CLIENT_COMMAND,
	CLIENT_USER,
};

static const struct field fields[] = {
	[CLIENT_REF] = { .name = "ref", .type = FIELD_REF, .help = "the client's socket" },
	[CLIENT_PID] = { .name = "pid", .type = FIELD_PID, .help = "process that holds it" },
	[CLIENT_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[CLIENT_COMMAND] = { .name = "command",
			     .type = FIELD_STR,
			     .flags = FIELD_SHRINK,
			     .help = "its command" },
	[CLIENT_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
};

const struct schema unix_client_schema = { "pending_clients", fields, ARRAY_SIZE(fields) };

struct object_key socket_key(uint32_t inode)
{
	return (struct object_key){ OBJECT_SOCKET, 0, inode };
}

struct holding_roles socket_roles(const char *role)
{
	return (struct holding_roles){ .reader = role, .writer = role, .both = role };
}

void record_socket_state(struct projector *p, struct record *r, size_t state, size_t reason,
			 const struct holding_count *found, const char *more)
{
	if (found->processes > 0)
		record_state(p, r, state, "in-use", reason, "held by %llu process%s%s",
			     (unsigned long long)found->processes, found->processes == 1 ? "" : "es", more);
	else
		record_state(p, r, state, "in-use", reason, "%s%s",
			     !p->snapshot->holders.walked ? "it exists; holders were not looked for" :
			     found->known		  ? "it exists, but no process was found to hold it" :
							    "it exists; those who hold it could not be seen",
			     more);
}

int record_peers(struct projector *p, struct record *r, size_t field, uint32_t inode)
{
	const struct holders *h = &p->snapshot->holders;
	struct object_key key = socket_key(inode);
	const struct holding *first = holders_find(h, &key);
	struct holding_count count = holding_count_from(p, first);
	struct holding_roles roles = socket_roles("peer");
	struct list *list;

	if (inode == 0)
		return 0;
	if (!first && !count.known) {
		record_unknown_why(r, field, WHY_TOLD);
		return 0;
	}
	list = record_list(r, field);
	return list ? holders_list(p, r, list, first, &roles) : -ENOMEM;
}

static int add_client(struct projector *p, struct record *r, struct list *list, uint32_t inode,
		      const struct holder *h)
{
	struct record row;
	struct span user;

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_printf(&row, CLIENT_REF, "unix-socket:%u", inode);
	row.unknowns = false;
	if (!h)
		return 0;
	record_u64(&row, CLIENT_PID, h->pid);
	record_i64(&row, CLIENT_START, h->start);
	record_str(&row, CLIENT_COMMAND, h->command);
	if (users_uid_name(&p->users, h->uid, &user) == 0)
		record_str(&row, CLIENT_USER, user);
	return 0;
}

int record_unix_clients(struct projector *p, struct record *r, size_t field, size_t listener)
{
	const struct unix_sockets *s = &p->snapshot->unix_sockets;
	const struct holders *holders = &p->snapshot->holders;
	size_t count;
	const struct unix_pending *pending = unix_sockets_pending(s, listener, &count);
	struct list *list = record_list(r, field);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t inode = s->items[pending[i].client].inode;
		struct object_key key = socket_key(inode);
		const struct holding *g = holders_find(holders, &key);
		uint32_t last = NO_HOLDING;

		if (!g && add_client(p, r, list, inode, NULL) < 0)
			return -ENOMEM;
		for (; g; g = holding_next(holders, g)) {
			if (g->holder != last &&
			    add_client(p, r, list, inode, holding_holder(holders, g)) < 0)
				return -ENOMEM;
			last = g->holder;
		}
	}
	return 0;
}

static void credentials_unknown(struct projector *p, struct record *r, const struct credential_fields *at,
				int error)
{
	/* Who holds it is not known: the walk's own warning says why. */
	if (error == -ENOENT) {
		record_unknown_why(r, at->pid, WHY_TOLD);
		record_unknown_why(r, at->pid + 1, WHY_TOLD);
		record_unknown_why(r, at->uid, WHY_TOLD);
		record_unknown_why(r, at->gid, WHY_TOLD);
		return;
	}
	held_unreadable(p, r, at->pid, at->pid + 1, error);
	held_unreadable(p, r, at->uid, at->uid, error);
	held_unreadable(p, r, at->gid, at->gid, error);
}

void record_credentials(struct projector *p, struct record *r, const struct credential_fields *at,
			const struct holding *first)
{
	_cleanup_(close_fd) int fd = object_copy(p->snapshot, first, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0) {
		credentials_unknown(p, r, at, fd);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		credentials_unknown(p, r, at, errno == ENOENT ? -EIO : -errno);
		return;
	}
	/* A socket that was never connected has none: uid and gid are -1. */
	if (peer.uid == (uid_t)-1)
		return;
	record_u64(r, at->uid, peer.uid);
	record_u64(r, at->gid, peer.gid);
	/* 0: it lives in another PID namespace. */
	if (peer.pid == 0)
		record_unknown_why(r, at->pid, WHY_OTHER_PIDS);
	else
		record_pid(p, r, at->pid, (uint32_t)peer.pid, INT64_MAX);
}

void record_in_flight(struct projector *p, struct record *r, size_t field, const struct holding *first)
{
	struct fdinfo info;
	uint64_t n;
	int e = object_fdinfo(p->snapshot, first, &info);

	if (e == 0 && fdinfo_number(&info, "scm_fds:", &n) == 0)
		record_u64(r, field, n);
	else if (e == 0)
		record_unknown_why(r, field, WHY_KERNEL_TOO_OLD);
	else if (e == -ENOENT)
		record_unknown_why(r, field, WHY_TOLD);
	else
		record_unknown(r, field, e);
}
