/* SPDX-License-Identifier: MIT */
/* Internet sockets: tcp(7), udp(7), raw(7). */
#include <errno.h>
#include <net/if.h>

#include "kind/held.h"
#include "kind/inet_address.h"
#include "kind/inet_cgroup.h"
#include "kind/inet_create.h"
#include "kind/inet_resolve.h"
#include "kind/registry.h"
#include "kind/unix_peers.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"

enum {
	SOCK_KIND,
	SOCK_REF,
	SOCK_PROTOCOL,
	SOCK_FAMILY,
	SOCK_LOCAL,
	SOCK_LOCAL_ADDRESS,
	SOCK_LOCAL_PORT,
	SOCK_REMOTE,
	SOCK_REMOTE_ADDRESS,
	SOCK_REMOTE_PORT,
	SOCK_STATE_FIELD,
	SOCK_PEER,
	SOCK_RECEIVE_QUEUE,
	SOCK_SEND_QUEUE,
	SOCK_PENDING,
	SOCK_BACKLOG,
	SOCK_OWNER,
	SOCK_UID,
	SOCK_COOKIE,
	SOCK_INTERFACE,
	SOCK_CGROUP_ID,
	SOCK_CGROUP,
	SOCK_WAITERS,
	SOCK_WAITING,
	SOCK_NHOLDERS,
	SOCK_HOLDERS,
	SOCK_PEERS,
	SOCK_STATE,
	SOCK_REASON,
};

static const char *const protocol_values[] = {
	"mptcp", "tcp", "udp", "raw", "udplite", "sctp", "icmp", NULL
};
static const char *const family_values[] = { "ipv4", "ipv6", NULL };
/* In the order of enum inet_state. */
static const char *const socket_state_values[] = {
	"other",      "established", "syn-sent",     "syn-recv",   "fin-wait-1",
	"fin-wait-2", "time-wait",   "unconnected",  "close-wait", "last-ack",
	"listen",     "closing",     "new-syn-recv", "bound",	   NULL,
};

static const struct field fields[] = {
	[SOCK_KIND] = COMMON_KIND("inet-socket"),
	[SOCK_REF] = COMMON_REF,
	[SOCK_PROTOCOL] = { .name = "protocol",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT,
			    .values = protocol_values,
			    .help = "protocol" },
	[SOCK_FAMILY] = { .name = "family",
			  .type = FIELD_STR,
			  .values = family_values,
			  .help = "ipv4, or ipv6, which may carry both" },
	[SOCK_LOCAL] = { .name = "local",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT | FIELD_SHRINK,
			 .help = "address and port here; raw: address and IP protocol" },
	[SOCK_LOCAL_ADDRESS] = { .name = "local_address", .type = FIELD_STR, .help = "address of that" },
	[SOCK_LOCAL_PORT] = { .name = "local_port", .type = FIELD_U64, .help = "port of that" },
	[SOCK_REMOTE] = { .name = "remote",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT | FIELD_SHRINK,
			  .help = "address and port it is connected to" },
	[SOCK_REMOTE_ADDRESS] = { .name = "remote_address", .type = FIELD_STR, .help = "address of that" },
	[SOCK_REMOTE_PORT] = { .name = "remote_port", .type = FIELD_U64, .help = "port of that" },
	[SOCK_STATE_FIELD] = { .name = "socket_state",
			       .type = FIELD_STR,
			       .flags = FIELD_DEFAULT,
			       .values = socket_state_values,
			       .help = "state of the connection" },
	[SOCK_PEER] = { .name = "peer",
			.type = FIELD_REF,
			.flags = FIELD_DEFAULT,
			.help = "socket at the other end, if that is on this machine" },
	[SOCK_RECEIVE_QUEUE] = { .name = "receive_queue",
				 .type = FIELD_BYTES,
				 .flags = FIELD_DEFAULT | FIELD_GAUGE,
				 .help = "bytes received and not read; udp, raw: the memory they take" },
	[SOCK_SEND_QUEUE] = { .name = "send_queue",
			      .type = FIELD_BYTES,
			      .flags = FIELD_DEFAULT | FIELD_GAUGE,
			      .help = "bytes sent and not acknowledged; the same" },
	[SOCK_PENDING] = { .name = "pending",
			   .type = FIELD_U64,
			   .flags = FIELD_GAUGE,
			   .help = "connections that wait to be accepted" },
	[SOCK_BACKLOG] = { .name = "backlog", .type = FIELD_U64, .help = "most of them that may wait" },
	[SOCK_OWNER] = COMMON_OWNER,
	[SOCK_UID] = COMMON_UID,
	[SOCK_COOKIE] = { .name = "cookie",
			  .type = FIELD_U64,
			  .help = "number that no other socket ever has" },
	[SOCK_INTERFACE] = { .name = "interface",
			     .type = FIELD_STR,
			     .help = "network interface that it is bound to" },
	[SOCK_CGROUP_ID] = { .name = "cgroup_id",
			     .type = FIELD_U64,
			     .help = "number of the control group that it was made in" },
	[SOCK_CGROUP] = { .name = "cgroup",
			  .type = FIELD_STR,
			  .flags = FIELD_ON_DEMAND | FIELD_SHRINK,
			  .help = "path of that" },
	[SOCK_WAITERS] = COMMON_WAITERS,
	[SOCK_WAITING] = COMMON_WAITING,
	[SOCK_NHOLDERS] = COMMON_NHOLDERS,
	[SOCK_HOLDERS] = COMMON_HOLDERS,
	[SOCK_PEERS] = { .name = "peers",
			 .type = FIELD_LIST,
			 .flags = FIELD_ON_DEMAND,
			 .sources = SOURCE_HOLDERS | SOURCE_ACCESS,
			 .items = &holder_schema,
			 .help = "holders of the peer" },
	[SOCK_STATE] = COMMON_STATE,
	[SOCK_REASON] = COMMON_REASON,
	WHEREABOUTS_NET,
};

static const struct schema schema = { "inet-socket", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->inet_sockets.count;
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	struct object_key key = socket_key(s->inet_sockets.items[i].inode);

	/* Other namespaces' sockets, and no other, have the number 0 there. */
	return key.ino ? holders_find(&s->holders, &key) : NULL;
}

/* Whether it carries a connection of MPTCP: then it has the inode number of another. */
static bool is_subflow(const struct inet_sockets *s, const struct inet_socket *x)
{
	return x->cookie && x->inode && &s->items[inet_sockets_find(s, x->inode)] != x;
}

static void record_socket_ref(const struct inet_sockets *s, struct record *r, size_t field,
			      const struct inet_socket *x)
{
	if (x->inode && !is_subflow(s, x))
		record_number_ref(r, field, x->inode);
	else
		record_printf(r, field, "inet-socket:cookie=%llu", (unsigned long long)x->cookie);
}

/* An end, into three fields: whole, address, port. */
static void project_end(struct projector *p, struct record *r, size_t field, const struct inet_end *end,
			bool v6)
{
	char text[INET_END_TEXT];

	if (wants(p->want, field)) {
		inet_end_text(text, end, v6);
		record_printf(r, field, "%s", text);
	}
	if (wants(p->want, field + 1)) {
		inet_address_text(text, end, v6);
		record_printf(r, field + 1, "%s", text);
	}
	record_u64(r, field + 2, end->port);
}

static void project_queues(struct record *r, const struct inet_socket *x)
{
	bool listens = x->state == INET_LISTEN;

	record_u64(r, listens ? SOCK_PENDING : SOCK_RECEIVE_QUEUE, x->receive_queue);
	record_u64(r, listens ? SOCK_BACKLOG : SOCK_SEND_QUEUE, x->send_queue);
}

static void project_interface(struct record *r, const struct inet_socket *x)
{
	char name[IF_NAMESIZE];

	if (if_indextoname(x->interface, name))
		record_printf(r, SOCK_INTERFACE, "%s", name);
	else
		record_printf(r, SOCK_INTERFACE, "%u", x->interface);
}

static int project_cgroup(struct record *r, const struct inet_socket *x)
{
	struct span path;
	int e = cgroup_path(x->cgroup, r->arena, &path);

	if (e == 0)
		record_str(r, SOCK_CGROUP, path);
	else if (e != -ESTALE)
		record_unknown(r, SOCK_CGROUP, e == -ENODEV ? EPERM : e);
	return e == -ENOMEM ? e : 0;
}

/* Why the kernel keeps a socket that no process has: it is not accepted yet, or was closed. */
static const char *kernel_reason(const struct inet_socket *x)
{
	switch (x->state) {
	case INET_ESTABLISHED:
	case INET_CLOSE_WAIT:
		return "kernel: waits to be accepted, or was closed just now";
	case INET_SYN_RECV:
	case INET_NEW_SYN_RECV:
		return "kernel: the connection is being made";
	case INET_TIME_WAIT:
		return "kernel: time-wait";
	default:
		return "kernel: closed, the connection is being ended";
	}
}

static void project_state(struct projector *p, struct record *r, const struct inet_socket *x,
			  const struct holding_count *found)
{
	const char *more = "";

	if (is_subflow(&p->snapshot->inet_sockets, x))
		more = ", it carries an MPTCP socket";
	else if (x->state == INET_CLOSE_WAIT)
		more = ", the other side has closed";
	else if (x->state == INET_LISTEN && x->receive_queue > x->send_queue)
		more = ", its backlog is full";
	if (x->inode)
		record_socket_state(p, r, SOCK_STATE, SOCK_REASON, found, more);
	else
		record_state(p, r, SOCK_STATE, "in-use", SOCK_REASON, "%s", kernel_reason(x));
}

static int project_holders(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_fields at = { SOCK_NHOLDERS, SOCK_HOLDERS };
	static const struct waiting_fields waiting = { SOCK_WAITERS, SOCK_WAITING };
	const struct inet_socket *x = &p->snapshot->inet_sockets.items[i];
	const struct holding *first = held(p->snapshot, i);
	struct holding_count found = holding_count_from(p, first);
	struct holding_roles roles = socket_roles(x->state == INET_LISTEN ? "listener" :
						  inet_is_connected(x)	  ? "connected" :
									    "bound");

	struct object_key key = { OBJECT_SOCKET, 0, x->inode };

	if (wants_any(p->want, SOCK_STATE, SOCK_REASON))
		project_state(p, r, x, &found);
	/* Without an inode number no process has it. */
	if (x->inode && record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	if (!wants_any(p->want, SOCK_NHOLDERS, SOCK_HOLDERS))
		return 0;
	if (x->inode)
		return record_holders_from(p, r, &at, first, &found, &roles);
	/* The kernel says that no process has it. */
	record_u64(r, SOCK_NHOLDERS, 0);
	return !wants(p->want, SOCK_HOLDERS) || record_list(r, SOCK_HOLDERS) ? 0 : -ENOMEM;
}

static int project_peer(struct projector *p, struct record *r, const struct inet_socket *x)
{
	const struct inet_sockets *s = &p->snapshot->inet_sockets;
	int64_t peer = inet_sockets_peer(s, x);

	if (peer < 0)
		return 0;
	record_socket_ref(s, r, SOCK_PEER, &s->items[peer]);
	return wants(p->want, SOCK_PEERS) ? record_peers(p, r, SOCK_PEERS, s->items[peer].inode) : 0;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct inet_socket *x = &p->snapshot->inet_sockets.items[i];

	record_text(r, SOCK_KIND, schema.name);
	record_socket_ref(&p->snapshot->inet_sockets, r, SOCK_REF, x);
	record_text(r, SOCK_PROTOCOL, inet_protocols[x->protocol].name);
	record_text(r, SOCK_FAMILY, family_values[x->v6]);
	project_end(p, r, SOCK_LOCAL, &x->local, x->v6);
	if (inet_is_connected(x))
		project_end(p, r, SOCK_REMOTE, &x->remote, x->v6);
	record_text(r, SOCK_STATE_FIELD, socket_state_values[x->state <= INET_BOUND ? x->state : 0]);
	project_queues(r, x);
	if (x->cookie)
		record_u64(r, SOCK_COOKIE, x->cookie);
	/* Of a socket that was closed the kernel does not know any more whose it was. */
	if (x->inode) {
		record_user(p, r, SOCK_OWNER, x->uid);
		record_u64(r, SOCK_UID, x->uid);
	}
	if (x->interface && wants(p->want, SOCK_INTERFACE))
		project_interface(r, x);
	if (x->cgroup)
		record_u64(r, SOCK_CGROUP_ID, x->cgroup);
	if (x->cgroup && wants(p->want, SOCK_CGROUP) && project_cgroup(r, x) < 0)
		return -ENOMEM;
	if ((wants(p->want, SOCK_PEER) || wants(p->want, SOCK_PEERS)) && project_peer(p, r, x) < 0)
		return -ENOMEM;
	return project_holders(p, i, r);
}

static int narrow(struct span id _unused_, struct scan_request *request)
{
	request->sources |= SOURCE_HOLDERS;
	return 0;
}

static int remove_socket(struct snapshot *s, size_t i, struct report *report)
{
	const struct inet_socket *x = &s->inet_sockets.items[i];
	int r = inet_socket_destroy(x, s->diag);

	if (r == -EPERM)
		report_text(report, "it takes CAP_NET_ADMIN");
	else if (r == -EOPNOTSUPP)
		report_text(report, "the kernel ends no sockets of this protocol");
	else if (r == 0 && x->inode)
		report_text(report, "ended; its descriptors stay until their holders close them");
	return r;
}

static const struct channel channel = { .duplex = true,
					.listener = "listener",
					.peer = "peer",
					.address = "local_port",
					.queued = "receive_queue" };

const struct kind kind_inet_socket = {
	.name = "inet-socket",
	.aliases = (const char *const[]){ "inet", "tcp", "udp", "raw", NULL },
	.alias_field = "protocol",
	.groups = GROUP_FD | GROUP_SOCKET,
	.title = "Internet socket",
	.identifier = "protocol, address and port",
	.handle = "file descriptors",
	.persistence = "until closed and, for TCP, timed out",
	.access = "anyone who can reach the address",
	.source = "sock_diag(7), /proc/PID/fd",
	.create_means = "bind(2) and listen(2), handed to COMMAND",
	.remove_means = "SOCK_DESTROY",
	.reference = "inet-socket:INODE, inet-socket:cookie=N, inet-socket:tcp:ADDRESS:PORT",
	.schema = &schema,
	.fill_field = "pending",
	.room_field = "backlog",
	.sources = SOURCE_INET,
	.namespace = "netns",
	.narrow = narrow,
	.count = count,
	.project = project,
	.resolve = inet_resolve,
	.create_opts = inet_socket_create_opts,
	.ncreate_opts = INET_SOCKET_NCREATE_OPTS,
	.name_arg = "PROTOCOL:ADDRESS:PORT",
	.transient = true,
	.create = inet_socket_create,
	.remove = remove_socket,
	.channel = &channel,
	.shown_by = CAPABILITY(CAP_DAC_READ_SEARCH),
	.held = held,
};
