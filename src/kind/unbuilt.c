/* SPDX-License-Identifier: MIT */
/*
 * The kinds that are designed but not built yet. `kinds` describes and marks
 * them; no other command takes them. Each moves into a file of its own.
 */
#include "kind/registry.h"

const struct kind kind_flock = {
	.name = "flock",
	.groups = GROUP_LOCK,
	.title = "Whole-file lock (flock)",
	.identifier = "path",
	.handle = "open file description",
	.persistence = "until unlocked or the description is closed",
	.access = "whoever may open the file",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "flock(2) around COMMAND",
	.remove_means = "unlocked through a copy of the descriptor",
	.reference = "flock:/path",
};

const struct kind kind_record_lock = {
	.name = "record-lock",
	.groups = GROUP_LOCK,
	.title = "Byte-range lock (fcntl: posix, ofd)",
	.identifier = "path and range",
	.handle = "process (posix) or open file description (ofd)",
	.persistence = "until unlocked, closed or exited",
	.access = "whoever may open the file",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "fcntl(2) around COMMAND",
	.remove_means = "ofd: unlocked through a copy; posix: not possible from outside",
	.reference = "record-lock:/path:START-END",
};

const struct kind kind_lease = {
	.name = "lease",
	.groups = GROUP_LOCK,
	.title = "File lease",
	.identifier = "path",
	.handle = "open file description",
	.persistence = "until given up, broken or closed",
	.access = "owner of the file, or CAP_LEASE",
	.source = "/proc/locks, /proc/PID/fdinfo",
	.create_means = "fcntl(2) F_SETLEASE around COMMAND",
	.remove_means = "given up through a copy of the descriptor",
	.reference = "lease:/path",
};

const struct kind kind_signal = {
	.name = "signal",
	.groups = GROUP_SYNC,
	.title = "Pending signals of a process",
	.identifier = "process",
	.handle = "process",
	.persistence = "until delivered",
	.access = "same user, or CAP_KILL",
	.source = "/proc/PID/task/TID/status",
	.create_means = "queued through a pidfd",
	.remove_means = "not possible from outside",
	.reference = "signal:PID",
};
