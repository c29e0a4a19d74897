/* SPDX-License-Identifier: MIT */
/*
 * The kinds that are designed but not built yet. `kinds` describes and marks
 * them; no other command takes them. Each moves into a file of its own.
 */
#include "kind/registry.h"

const struct kind kind_fifo = {
	.name = "fifo",
	.groups = GROUP_FD,
	.title = "FIFO (named pipe)",
	.identifier = "path",
	.handle = "file descriptors",
	.persistence = "until unlinked; its data until the last descriptor is closed",
	.access = "mode of the file",
	.source = "/proc/PID/fd, stat(2)",
	.create_means = "mkfifo(3)",
	.remove_means = "unlink(2)",
	.reference = "fifo:/path",
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
};

const struct kind kind_inet_socket = {
	.name = "inet-socket",
	.aliases = (const char *const[]){ "inet", "tcp", "udp", "raw", NULL },
	.groups = GROUP_FD | GROUP_SOCKET,
	.title = "Internet socket",
	.identifier = "protocol, address and port",
	.handle = "file descriptors",
	.persistence = "until closed and, for TCP, timed out",
	.access = "anyone who can reach the address",
	.source = "sock_diag(7), /proc/PID/fd",
	.create_means = "bind(2) and listen(2), handed to COMMAND",
	.remove_means = "SOCK_DESTROY",
	.reference = "inet-socket:INODE, inet-socket:tcp:ADDRESS:PORT",
};

const struct kind kind_memfd = {
	.name = "memfd",
	.groups = GROUP_FD | GROUP_MEMORY,
	.title = "Memory file (memfd)",
	.identifier = "inode number; the name is a mere label",
	.handle = "file descriptors and mappings",
	.persistence = "until the last descriptor and mapping are gone",
	.access = "whoever was given a descriptor",
	.source = "/proc/PID/fd, maps",
	.create_means = "memfd_create(2), handed to COMMAND",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "memfd:INODE",
};

const struct kind kind_eventfd = {
	.name = "eventfd",
	.groups = GROUP_FD,
	.title = "Event counter (eventfd)",
	.identifier = "eventfd-id",
	.handle = "file descriptors",
	.persistence = "until the last descriptor is closed",
	.access = "whoever was given a descriptor",
	.source = "/proc/PID/fdinfo",
	.create_means = "eventfd(2), handed to COMMAND",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "eventfd:ID",
};

const struct kind kind_pty = {
	.name = "pty",
	.groups = GROUP_FD,
	.title = "Pseudo-terminal",
	.identifier = "path of the slave",
	.handle = "file descriptors (master, slave)",
	.persistence = "until master and slaves are closed",
	.access = "mode of the slave's file",
	.source = "/proc/PID/fd, /dev/pts",
	.create_means = "posix_openpt(3), handed to COMMAND",
	.remove_means = "hang-up",
	.reference = "pty:/dev/pts/N",
};

const struct kind kind_file_mapping = {
	.name = "file-mapping",
	.groups = GROUP_MEMORY,
	.title = "Shared mapping of a file",
	.identifier = "device and inode, or path",
	.handle = "mappings",
	.persistence = "until the last mapping is gone",
	.access = "mode of the file",
	.source = "/proc/PID/maps",
	.create_means = "mmap(2), held",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "file-mapping:MAJOR:MINOR:INODE, file-mapping:/path",
};

const struct kind kind_anon_mapping = {
	.name = "anon-mapping",
	.groups = GROUP_MEMORY,
	.title = "Shared anonymous mapping",
	.identifier = "inode number",
	.handle = "mappings, inherited by fork(2)",
	.persistence = "until the last mapping is gone",
	.access = "descendants of its creator",
	.source = "/proc/PID/maps",
	.create_means = "mmap(2), held",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "anon-mapping:INODE",
};

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

const struct kind kind_futex = {
	.name = "futex",
	.aliases = (const char *const[]){ "mutex", "cond", "rwlock", "unnamed-sem", NULL },
	.groups = GROUP_SYNC,
	.title = "Process-shared mutex, condition, rwlock or unnamed semaphore",
	.identifier = "object in shared memory and offset",
	.handle = "address in a mapping",
	.persistence = "as long as the memory it lies in",
	.access = "whoever may map that memory",
	.source = "/proc/PID/task/TID/syscall, robust lists",
	.create_means = "initialised inside a shared-memory object",
	.remove_means = "cleared, if nobody holds it or waits",
	.reference = "futex:posix-shm:/name+OFFSET, futex:PID@ADDRESS",
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
