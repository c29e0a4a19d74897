/* SPDX-License-Identifier: MIT */
/* Unix domain sockets: unix(7). */
#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kind/evidence.h"
#include "kind/path.h"
#include "kind/registry.h"
#include "kind/unix_create.h"
#include "kind/unix_fields.h"
#include "kind/unix_file.h"
#include "kind/unix_peers.h"
#include "kind/waiting.h"
#include "lib/parse.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57 /* asm-generic/socket.h */
#endif

/* Indices: first the sockets, then the files that were looked for. */
static size_t count(const struct snapshot *s)
{
	return s->unix_sockets.count + s->paths.count;
}

static const struct path_file *file_at(const struct snapshot *s, size_t i)
{
	return i < s->unix_sockets.count ? NULL : &s->paths.items[i - s->unix_sockets.count];
}

static bool owns(const struct snapshot *s, size_t i)
{
	const struct path_file *file = file_at(s, i);

	return !file || S_ISSOCK(file->mode);
}

static bool is_certain(const struct snapshot *s, size_t i)
{
	const struct path_file *file = file_at(s, i);
	struct unix_file_verdict verdict;

	return !file || (unix_file_judge(s, file, &verdict) == 0 && strcmp(verdict.state, "orphaned") == 0);
}

/* What the holders of index i are found by. False: it is a mere file, which nobody holds. */
static bool find_key(const struct snapshot *s, size_t i, struct object_key *key)
{
	if (file_at(s, i))
		return false;
	*key = socket_key(s->unix_sockets.items[i].inode);
	return true;
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	struct object_key key;

	return find_key(s, i, &key) ? holders_find(&s->holders, &key) : NULL;
}

static void prefetch(const struct snapshot *s, size_t i, enum holders_step step)
{
	struct object_key key;

	if (find_key(s, i, &key))
		holders_prefetch(&s->holders, &key, step);
}

static void project_endpoint(struct projector *p, struct record *r, const struct unix_socket *u)
{
	const struct unix_sockets *s = &p->snapshot->unix_sockets;

	record_text(r, UNIX_TYPE,
		    u->type == SOCK_STREAM    ? "stream" :
		    u->type == SOCK_DGRAM     ? "dgram" :
		    u->type == SOCK_SEQPACKET ? "seqpacket" :
						"other");
	record_text(r, UNIX_SOCKET_STATE,
		    u->state == UNIX_ESTABLISHED ? "established" :
		    u->state == UNIX_CONNECTING	 ? "connecting" :
		    u->state == UNIX_UNCONNECTED ? "unconnected" :
		    u->state == UNIX_LISTENING	 ? "listen" :
						   "other");
	if (u->name_len > 0)
		record_str(r, UNIX_NAME, unix_socket_name(s, u));
	if (u->flags & UNIX_HAS_FILE) {
		if (wants(p->want, UNIX_PATH_DEVICE))
			record_device(r, UNIX_PATH_DEVICE, device_unpack(u->device));
		record_u64(r, UNIX_PATH_INODE, u->file);
	}
	if (u->peer && wants(p->want, UNIX_PEER))
		record_number_ref(r, UNIX_PEER, u->peer);
	record_text(r, UNIX_SHUTDOWN, unix_shutdown_values[u->shutdown & 3]);
	record_u64(r, UNIX_COOKIE, u->cookie);
	if (!(u->flags & UNIX_HAS_QUEUES))
		return;
	record_u64(r, u->state == UNIX_LISTENING ? UNIX_PENDING : UNIX_RECEIVE_QUEUE, u->receive_queue);
	record_u64(r, u->state == UNIX_LISTENING ? UNIX_BACKLOG : UNIX_SEND_QUEUE, u->send_queue);
}

static void project_owner(struct projector *p, struct record *r, const struct unix_socket *u)
{
	if (u->flags & UNIX_HAS_UID) {
		record_user(p, r, UNIX_OWNER, u->uid);
		record_u64(r, UNIX_UID, u->uid);
	} else {
		record_unknown_why(r, UNIX_OWNER, WHY_KERNEL_TOO_OLD);
		record_unknown_why(r, UNIX_UID, WHY_KERNEL_TOO_OLD);
	}
}

static void project_state(struct projector *p, struct record *r, const struct unix_socket *u,
			  const struct holding_count *found)
{
	const char *more = "";

	if (u->flags & UNIX_WAITS)
		more = ", it waits to be accepted";
	else if (u->state == UNIX_ESTABLISHED && u->type != SOCK_DGRAM && u->peer == 0 && u->shutdown == 3)
		more = ", its peer is closed";
	else if (u->state == UNIX_LISTENING && u->receive_queue > u->send_queue)
		more = ", its backlog is full";
	record_socket_state(p, r, UNIX_STATE, UNIX_REASON, found, more);
}

static const char *role(const struct unix_socket *u)
{
	if (u->state == UNIX_LISTENING)
		return "listener";
	/* The kernel marks a datagram socket that others connect to as established, too. */
	if (u->peer || (u->state == UNIX_ESTABLISHED && u->type != SOCK_DGRAM))
		return "connected";
	return u->name_len ? "bound" : "unbound";
}

static int project_socket(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_fields at = { UNIX_NHOLDERS, UNIX_HOLDERS };
	static const struct waiting_fields waiting = { UNIX_WAITERS, UNIX_WAITING };
	static const struct credential_fields credentials = { UNIX_PEER_PID, UNIX_PEER_UID, UNIX_PEER_GID };
	const struct unix_socket *u = &p->snapshot->unix_sockets.items[i];
	struct holding_roles roles = socket_roles(role(u));
	const struct holding *first = held(p->snapshot, i);
	struct holding_count found = holding_count_from(p, first);
	struct object_key key = { OBJECT_SOCKET, 0, u->inode };

	record_number_ref(r, UNIX_REF, u->inode);
	project_endpoint(p, r, u);
	project_owner(p, r, u);
	if (wants_any(p->want, UNIX_STATE, UNIX_REASON))
		project_state(p, r, u, &found);
	if (wants_any(p->want, UNIX_NHOLDERS, UNIX_HOLDERS) &&
	    record_holders_from(p, r, &at, first, &found, &roles) < 0)
		return -ENOMEM;
	if (record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	if (wants(p->want, UNIX_PEERS) && record_peers(p, r, UNIX_PEERS, u->peer) < 0)
		return -ENOMEM;
	if (wants(p->want, UNIX_PENDING_CLIENTS) && u->state == UNIX_LISTENING &&
	    record_unix_clients(p, r, UNIX_PENDING_CLIENTS, i) < 0)
		return -ENOMEM;
	/* A listener has no peer; asked for one, the kernel names the listener itself. */
	if (wants_any(p->want, UNIX_PEER_PID, UNIX_PEER_GID) && u->state != UNIX_LISTENING)
		record_credentials(p, r, &credentials, first);
	if (wants(p->want, UNIX_FDS_IN_FLIGHT))
		record_in_flight(p, r, UNIX_FDS_IN_FLIGHT, first);
	return 0;
}

static void project_evidence(struct projector *p, struct record *r, const struct unix_file_verdict *v)
{
	record_evidence(p, r, UNIX_EVIDENCE, "connection",
			!v->asked ? SHOWS_NOTHING :
			v->live	  ? SHOWS_USE :
				    SHOWS_DISUSE,
			"%s",
			!v->asked ? "not asked" :
			v->live	  ? "something is bound to it" :
				    "nothing is bound to it");
	record_evidence(p, r, UNIX_EVIDENCE, "sockets in sight", SHOWS_NOTHING,
			v->ambiguous ? "one may be bound to it" : "none is bound to it");
}

static int project_file(struct projector *p, const struct path_file *file, struct record *r)
{
	static const struct stat_fields at = { { UNIX_OWNER, UNIX_GROUP, UNIX_UID, UNIX_GID, UNIX_MODE },
					       UNIX_ATIME,
					       UNIX_MTIME,
					       UNIX_CTIME,
					       UNIX_AGE };
	struct unix_file_verdict verdict;

	if (unix_file_judge(p->snapshot, file, &verdict) < 0 || verdict.listed)
		return PROJECT_SKIP;
	record_path_ref(r, UNIX_REF, file->path);
	record_str(r, UNIX_NAME, file->path);
	record_device(r, UNIX_PATH_DEVICE, device_unpack(verdict.device));
	record_u64(r, UNIX_PATH_INODE, (uint32_t)file->ino);
	record_path_stat(p, r, &at, file);
	record_state(p, r, UNIX_STATE, verdict.state, UNIX_REASON, "%s", verdict.reason);
	project_evidence(p, r, &verdict);
	/* Whoever holds a socket that is bound there, it is not in this network namespace. */
	if (strcmp(verdict.state, "orphaned") == 0)
		record_u64(r, UNIX_NHOLDERS, 0);
	else
		record_unknown_why(r, UNIX_NHOLDERS, WHY_TOLD);
	return 0;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct path_file *file = file_at(p->snapshot, i);

	record_text(r, UNIX_KIND, unix_socket_schema.name);
	return file ? project_file(p, file, r) : project_socket(p, i, r);
}

static int narrow(struct span id, struct scan_request *request)
{
	/* Only a holder's descriptor ends a socket. */
	request->sources |= SOURCE_HOLDERS | SOURCE_ADDRESSES;
	return span_starts(id, "/") ? name_list_add(&request->files, id) : 0;
}

/* Several sockets may have one name if they are of different types. */
static int resolve_name(struct snapshot *s, bool abstract, struct span id, struct matches *m)
{
	const struct unix_sockets *sockets = &s->unix_sockets;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sockets->count; i++) {
		const struct unix_socket *u = &sockets->items[i];

		if (!(u->flags & UNIX_ABSTRACT) == !abstract && unix_socket_is_reachable(u) &&
		    span_eq(unix_socket_name(sockets, u), id))
			r = matches_add(m, i);
	}
	return r;
}

static int resolve_path(struct snapshot *s, struct span id, struct matches *m)
{
	const struct path_file *file = path_files_named(&s->paths, id);
	int64_t i = unix_file_socket(s, id.ptr);

	if (i >= 0)
		return matches_add(m, (size_t)i);
	if (!file)
		return path_unreached(id, m);
	if (!S_ISSOCK(file->mode))
		return 0;
	return matches_add(m, s->unix_sockets.count + (size_t)(file - s->paths.items));
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	uint64_t inode;

	/* What is at a path elsewhere nobody can tell but who is there; what was bound to it tells the name.
	 */
	if (span_starts(id, "/") && !s->elsewhere)
		return resolve_path(s, id, m);
	if (span_starts(id, "@") || span_starts(id, "/"))
		return resolve_name(s, id.ptr[0] == '@', id, m);
	if (parse_u64(id, &inode) < 0) {
		report_text(report, "expected an inode number, a path, or @NAME");
		return -EINVAL;
	}
	return inode > UINT32_MAX ? 0 :
				    matches_found(m, unix_sockets_find(&s->unix_sockets, (uint32_t)inode));
}

/* Shuts it down through a copy of a descriptor of somebody who holds it. */
static int remove_socket(struct snapshot *s, const struct unix_socket *u, const struct holding *first,
			 struct report *report)
{
	_cleanup_(close_fd) int fd = first ? object_copy(s, first, 0) : -ENOENT;
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (!first && s->holders.unreadable) {
		report_text(report, "those who hold it could not be seen");
		return -EPERM;
	}
	if (!first) {
		report_text(report,
			    "no process was found that holds it; only through one can it be shut down");
		return -ENOTSUP;
	}
	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0)
		return -errno;
	if (cookie != u->cookie)
		return -ESTALE;
	if (shutdown(fd, SHUT_RDWR) < 0)
		return -errno;
	report_text(report, "shut down; its descriptors stay until their holders close them");
	return 0;
}

static int remove_any(struct snapshot *s, size_t i, struct report *report)
{
	const struct path_file *file = file_at(s, i);

	return file ? unix_file_remove(s, file, report) :
		      remove_socket(s, &s->unix_sockets.items[i], held(s, i), report);
}

/* The connect test decides anew; a socket itself goes with who holds it. */
static int reclaim(struct projector *p, size_t i, const struct reclaim *rules _unused_, struct report *report)
{
	const struct path_file *file = file_at(p->snapshot, i);
	struct unix_file_verdict verdict;
	int e;

	if (!file)
		return PROJECT_SKIP;
	e = unix_file_judge(p->snapshot, file, &verdict);
	if (e < 0)
		return e;
	if (strcmp(verdict.state, "orphaned") != 0) {
		report_text(report, "%s: %s", verdict.state, verdict.reason);
		return -EBUSY;
	}
	return path_unlink(file->path.ptr, file->dev, file->ino, report);
}

static const struct channel channel = {
	.duplex = true, .listener = "listener", .peer = "peer", .address = "name", .queued = "receive_queue"
};

const struct kind kind_unix_socket = {
	.name = "unix-socket",
	.aliases = (const char *const[]){ "unix", NULL },
	.groups = GROUP_FD | GROUP_SOCKET,
	.title = "Unix domain socket",
	.identifier = "path, abstract name or inode number",
	.handle = "file descriptors",
	.persistence = "until the last descriptor is closed; the file until unlinked",
	.access = "mode of the file; abstract names: anyone in the network namespace",
	.source = "sock_diag(7), /proc/PID/fd",
	.create_means = "socketpair(2) or bind(2), handed to COMMAND",
	.remove_means = "shutdown(2) of a copy; a stale file is unlinked",
	.reference = "unix-socket:INODE, unix-socket:/path, unix-socket:@abstract",
	.schema = &unix_socket_schema,
	.fill_field = "pending",
	.room_field = "backlog",
	.sources = SOURCE_UNIX | SOURCE_PATHS,
	.namespace = "netns",
	.narrow = narrow,
	.count = count,
	.owns = owns,
	.is_certain = is_certain,
	.project = project,
	.resolve = resolve,
	.create_opts = unix_socket_create_opts,
	.ncreate_opts = UNIX_SOCKET_NCREATE_OPTS,
	.name_arg = "/PATH|@NAME",
	.name_optional = true,
	.transient = true,
	.create = unix_socket_create,
	.remove = remove_any,
	.reclaim = reclaim,
	.channel = &channel,
	.remover = CAP_FOWNER,
	.held = held,
	.prefetch = prefetch,
};
