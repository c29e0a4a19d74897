/* SPDX-License-Identifier: MIT */
#include "kind/unix_fields.h"
#include "kind/evidence.h"
#include "kind/waiting.h"

#include "kind/unix_peers.h"
#include "kind/whereabouts.h"

static const char *const type_values[] = { "stream", "dgram", "seqpacket", "other", NULL };
static const char *const socket_state_values[] = { "established", "connecting", "unconnected",
						   "listen",	  "other",	NULL };
const char *const unix_shutdown_values[] = { "none", "receive", "send", "both", NULL };

/* Shorthand for the fields that are nothing special. */
#define PLAIN(word, kind_of, text)                                                                           \
	{                                                                                                    \
		.name = (word), .type = (kind_of), .help = (text)                                            \
	}
#define ASKED(word, kind_of, needs, text)                                                                    \
	{                                                                                                    \
		.name = (word), .type = (kind_of), .sources = (needs), .help = (text)                        \
	}
#define DEMAND(word, kind_of, needs, text)                                                                   \
	{                                                                                                    \
		.name = (word), .type = (kind_of), .flags = FIELD_ON_DEMAND, .sources = (needs),             \
		.help = (text)                                                                               \
	}

static const struct field fields[] = {
	[UNIX_KIND] = COMMON_KIND("unix-socket"),
	[UNIX_REF] = COMMON_REF,
	[UNIX_TYPE] = { .name = "type",
			.type = FIELD_STR,
			.flags = FIELD_DEFAULT,
			.values = type_values,
			.help = "type of the socket; absent: a mere file" },
	[UNIX_SOCKET_STATE] = { .name = "socket_state",
				.type = FIELD_STR,
				.flags = FIELD_DEFAULT,
				.values = socket_state_values,
				.help = "whether it listens or is connected" },
	[UNIX_NAME] = { .name = "name",
			.type = FIELD_STR,
			.flags = FIELD_DEFAULT | FIELD_SHRINK,
			.sources = SOURCE_ADDRESSES,
			.help = "path as it was bound, or @ and an abstract name; accepted: its listener's" },
	[UNIX_PATH_DEVICE] =
		ASKED("path_device", FIELD_STR, SOURCE_ADDRESSES, "device of the file it is bound to"),
	[UNIX_PATH_INODE] =
		ASKED("path_inode", FIELD_U64, SOURCE_ADDRESSES, "inode number of that, its lower 32 bits"),
	[UNIX_PEER] = { .name = "peer",
			.type = FIELD_REF,
			.flags = FIELD_DEFAULT,
			.sources = SOURCE_PEERS,
			.help = "socket at the other end, or that it waits to be accepted by" },
	[UNIX_RECEIVE_QUEUE] = { .name = "receive_queue",
				 .type = FIELD_BYTES,
				 .flags = FIELD_DEFAULT | FIELD_GAUGE,
				 .sources = SOURCE_QUEUES,
				 .help = "bytes to read; dgram: of the first message" },
	[UNIX_SEND_QUEUE] = { .name = "send_queue",
			      .type = FIELD_BYTES,
			      .flags = FIELD_DEFAULT | FIELD_GAUGE,
			      .sources = SOURCE_QUEUES,
			      .help = "memory of what it sent and nobody has read" },
	[UNIX_PENDING] = { .name = "pending",
			   .type = FIELD_U64,
			   .flags = FIELD_GAUGE,
			   .sources = SOURCE_QUEUES,
			   .help = "clients that wait to be accepted" },
	[UNIX_BACKLOG] = ASKED("backlog", FIELD_U64, SOURCE_QUEUES, "most of them that may wait"),
	[UNIX_SHUTDOWN] = { .name = "shutdown",
			    .type = FIELD_STR,
			    .values = unix_shutdown_values,
			    .help = "directions that were shut down" },
	[UNIX_COOKIE] = PLAIN("cookie", FIELD_U64, "number that no other socket ever has"),
	[UNIX_OWNER] = COMMON_OWNER,
	[UNIX_GROUP] = COMMON_GROUP,
	[UNIX_UID] = COMMON_UID,
	[UNIX_GID] = COMMON_GID,
	[UNIX_MODE] = PLAIN("mode", FIELD_MODE, "permission bits of a mere file, octal"),
	[UNIX_ATIME] = PLAIN("atime", FIELD_TIME, "last access to a mere file"),
	[UNIX_MTIME] = PLAIN("mtime", FIELD_TIME, "when that was made"),
	[UNIX_CTIME] = PLAIN("ctime", FIELD_TIME, "last change of its inode"),
	[UNIX_AGE] = PLAIN("age", FIELD_DURATION, "time since the newest of those"),
	[UNIX_WAITERS] = COMMON_WAITERS,
	[UNIX_WAITING] = COMMON_WAITING,
	[UNIX_NHOLDERS] = COMMON_NHOLDERS,
	/* What a socket is to its holder depends on whether it has a peer, or a name. */
	[UNIX_HOLDERS] = { .name = "holders",
			   .type = FIELD_LIST,
			   .sources = SOURCE_HOLDERS | SOURCE_ACCESS | SOURCE_PEERS | SOURCE_ADDRESSES,
			   .items = &holder_schema,
			   .help = "each holding: process, descriptor, access, role" },
	[UNIX_PEERS] = { .name = "peers",
			 .type = FIELD_LIST,
			 .flags = FIELD_ON_DEMAND,
			 .sources = SOURCE_HOLDERS | SOURCE_ACCESS | SOURCE_PEERS,
			 .items = &holder_schema,
			 .help = "holders of the peer" },
	[UNIX_PENDING_CLIENTS] = { .name = "pending_clients",
				   .type = FIELD_LIST,
				   .flags = FIELD_ON_DEMAND,
				   .sources = SOURCE_HOLDERS | SOURCE_PEERS,
				   .items = &unix_client_schema,
				   .help = "each client that waits, and who holds it" },
	[UNIX_PEER_PID] = DEMAND("peer_pid", FIELD_PID, SOURCE_HOLDERS,
				 "process that connected, or listened, as it was then"),
	[UNIX_PEER_PID_COMMAND] = DEMAND("peer_pid_command", FIELD_STR, SOURCE_HOLDERS,
					 "command of the process with that number"),
	[UNIX_PEER_UID] = DEMAND("peer_uid", FIELD_UID, SOURCE_HOLDERS, "its user then"),
	[UNIX_PEER_GID] = DEMAND("peer_gid", FIELD_GID, SOURCE_HOLDERS, "its group then"),
	[UNIX_FDS_IN_FLIGHT] = DEMAND("fds_in_flight", FIELD_U64, SOURCE_HOLDERS,
				      "descriptors that were sent to it and not received"),
	[UNIX_STATE] = COMMON_STATE,
	[UNIX_REASON] = { .name = "reason",
			  .type = FIELD_STR,
			  .flags = FIELD_SHRINK,
			  .sources = SOURCE_HOLDERS | SOURCE_PEERS,
			  .help = "why that state" },
	[UNIX_EVIDENCE] = COMMON_EVIDENCE,
	WHEREABOUTS_NET,
};

const struct schema unix_socket_schema = { "unix-socket", fields, ARRAY_SIZE(fields) };
