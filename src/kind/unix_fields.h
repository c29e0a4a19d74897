/* SPDX-License-Identifier: MIT */
/* The field table of unix sockets. */
#pragma once

#include "model/field.h"

enum {
	UNIX_KIND,
	UNIX_REF,
	UNIX_TYPE,
	UNIX_SOCKET_STATE,
	UNIX_NAME,
	UNIX_PATH_DEVICE,
	UNIX_PATH_INODE,
	UNIX_PEER,
	UNIX_RECEIVE_QUEUE,
	UNIX_SEND_QUEUE,
	UNIX_PENDING,
	UNIX_BACKLOG,
	UNIX_SHUTDOWN,
	UNIX_COOKIE,
	UNIX_OWNER,
	UNIX_GROUP,
	UNIX_UID,
	UNIX_GID,
	UNIX_MODE,
	UNIX_ATIME,
	UNIX_MTIME,
	UNIX_CTIME,
	UNIX_AGE,
	UNIX_WAITERS,
	UNIX_WAITING,
	UNIX_NHOLDERS,
	UNIX_HOLDERS,
	UNIX_PEERS,
	UNIX_PENDING_CLIENTS,
	UNIX_PEER_PID,
	UNIX_PEER_PID_COMMAND,
	UNIX_PEER_UID,
	UNIX_PEER_GID,
	UNIX_FDS_IN_FLIGHT,
	UNIX_STATE,
	UNIX_REASON,
	UNIX_EVIDENCE, /* of a file */
};

/* By what the kernel tells: 1 receive, 2 send. */
extern const char *const unix_shutdown_values[];
extern const struct schema unix_socket_schema;
