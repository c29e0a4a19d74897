/* SPDX-License-Identifier: MIT */
#include "kind/unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "kind/path.h"
#include "kind/unix_peers.h"
#include "lib/file.h"
#include "scan/cached.h"
#include "scan/fdinfo.h"

/* Sockets that claim to have one file are compared with it so often. */
#define MOST_CANDIDATES 64

/* A file, and where it lies. */
struct spot {
	uint64_t dev, ino; /* as stat(2) tells */
	uint32_t device;   /* as the kernel tells of sockets: packed, and another on btrfs and overlay */
	unsigned flags;	   /* of enum mount_flag */
};

/* Where the file lies that an O_PATH descriptor is of; -errno: its mount is not known. */
static int find_place(const struct snapshot *s, int fd, const struct stat *st, struct spot *place)
{
	const struct mount *mount;
	struct fdinfo info;
	char name[12];
	uint64_t id;
	int r;

	*place = (struct spot){ .dev = st->st_dev, .ino = st->st_ino, .device = device_pack(st->st_dev) };
	snprintf(name, sizeof(name), "%d", fd);
	r = fdinfo_read_own(&info, name);
	if (r == 0)
		r = fdinfo_number(&info, "mnt_id:", &id);
	if (r != 0)
		return r;
	mount = mounts_find(&s->unix_sockets.mounts, id);
	if (!mount)
		return -ENOENT;
	/* An id goes to another mount when its own is gone. */
	if (mount->flags & MOUNT_LOCAL && !(mount->flags & MOUNT_SUBVOLUMES) && mount->dev != st->st_dev)
		return -ESTALE;
	place->device = device_pack(mount->dev);
	place->flags = mount->flags;
	return 0;
}

enum answer { ANSWER_LIVE, ANSWER_STALE, ANSWER_UNKNOWN };

/* What connect(2) says to the file from a socket of that type: an errno, or 0. */
static int try_connect(int type, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[2] = { -1, -1 }, r = 0;

	/* The name leads through the descriptor: it is that very file, however long its path is. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", fd);
	if (type == SOCK_DGRAM)
		fds[0] = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	else if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		fds[0] = -1;
	if (fds[0] < 0 || connect(fds[0], (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = errno;
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	return r;
}

/*
 * Asks without being noticed: the kernel looks for who is bound there first, and finds
 * reasons to refuse then. A socket that is connected already can't connect (EISCONN), nor one
 * of another type (EPROTOTYPE). A seqpacket socket that is bound, but does not listen, refuses
 * as if nobody were there; so a datagram socket asks too. It could connect to no other but
 * its like, and those are excluded by then: the kernel would mark them as connected.
 */
static enum answer ask(int fd)
{
	int r = try_connect(SOCK_SEQPACKET, fd);

	if (r == EPROTOTYPE || r == EISCONN || r == EAGAIN)
		return ANSWER_LIVE;
	if (r == ECONNREFUSED)
		r = try_connect(SOCK_DGRAM, fd);
	if (r == ECONNREFUSED)
		return ANSWER_STALE;
	return r == 0 || r == EPROTOTYPE || r == EPERM ? ANSWER_LIVE : ANSWER_UNKNOWN;
}

/* A socket whose name is the path: the file may be another's by another way there. */
static bool is_named(const struct snapshot *s, struct span path)
{
	return hash_find(&s->unix_sockets.by_name, hash_bytes(path), NULL) != NULL;
}

/* Whether the file itself is at a path below dir. What a socket is bound to stays in the kernel's
 * cache, with all that leads there: no file system need be waited for. */
static bool leads_to(int dir, const char *path, bool in_root, const struct spot *place)
{
	struct statx stx;

	return lookup_cached(dir, path, in_root, false, &stx) == 0 && stx.stx_ino == place->ino &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) == place->dev;
}

/* Whether a socket's name leads to the file: for us, or for a process that holds the socket. */
static bool names(const struct snapshot *s, const struct unix_socket *u, const struct spot *place)
{
	struct span name = unix_socket_name(&s->unix_sockets, u);
	struct object_key key = socket_key(u->inode);
	const struct holding *first = holders_find(&s->holders, &key);
	_cleanup_(close_fd) int dir = -1;
	char path[UINT8_MAX + 1], start[32];
	bool absolute;

	if (name.len == 0 || place->flags & MOUNT_REPEATS)
		return false;
	memcpy(path, name.ptr, name.len);
	path[name.len] = '\0';
	absolute = path[0] == '/';
	if (absolute && leads_to(AT_FDCWD, path, false, place))
		return true;
	if (!first)
		return false;
	snprintf(start, sizeof(start), "%u/%s", holding_holder(&s->holders, first)->pid,
		 absolute ? "root" : "cwd");
	dir = openat(s->context->proc, start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && leads_to(dir, path, absolute, place);
}

/* Whether no other file has the numbers that sock_diag(7) tells. That a file on xfs or tmpfs has them
 * in the lower half of its own is too much of a chance, as long as there is but one socket and the
 * file is in use. */
static bool is_unique(const struct spot *place)
{
	return place->flags & (MOUNT_LOCAL | MOUNT_STACKED) &&
	       !(place->flags & (MOUNT_SUBVOLUMES | MOUNT_REPEATS)) && place->ino <= UINT32_MAX;
}

/*
 * The socket that is bound to the file, whose answer is not ANSWER_STALE: its index, -ENOENT: none
 * that is listed, or -EAGAIN: one has the file's numbers, but so may another file.
 *
 * If others can reach none of these sockets a connected one is bound there, if anything is; or it
 * was accepted by what was.
 */
static int64_t find_bound(const struct snapshot *s, const struct spot *place)
{
	const struct unix_sockets *sockets = &s->unix_sockets;
	uint32_t file = (uint32_t)place->ino;
	const struct hash_slot *slot = hash_find(&sockets->by_file, unix_file_key(place->device, file), NULL);
	bool one = slot && !(sockets->items[slot->value].flags & UNIX_SHARES_FILE);
	size_t i = slot ? slot->value : 0, end = one ? i + 1 : sockets->count, found = 0;
	unsigned n = 0;

	if (one && is_unique(place))
		return (int64_t)i;
	for (; i < end && n < MOST_CANDIDATES; i++) {
		const struct unix_socket *u = &sockets->items[i];

		if (!(u->flags & UNIX_HAS_FILE) || u->device != place->device || u->file != file ||
		    (slot && !unix_socket_is_reachable(u)))
			continue;
		if (names(s, u, place))
			return (int64_t)i;
		found = i;
		n++;
	}
	if (n == 0)
		return -ENOENT;
	return n == 1 && is_unique(place) ? (int64_t)found : -EAGAIN;
}

/* Whether the file lies in a layer of an overlay that is mounted: a socket bound there is
 * bound to the overlay's inode, not to this one. If that can't be told, it does. */
static bool is_in_layer(const struct snapshot *s, int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n < 0 || mounts_in_layer(&s->unix_sockets.mounts, (struct span){ path, (size_t)n });
}

/* Nothing is bound to it: whether that may change. */
static void judge_stale(const struct snapshot *s, const struct path_file *file, int fd,
			const struct spot *place, struct unix_file_verdict *v)
{
	if (!(place->flags & MOUNT_LOCAL)) {
		v->reason = "nothing is bound to it here, but its file system is layered";
	} else if (is_named(s, file->path)) {
		v->reason = "nothing is bound to it, but a socket was bound by that name";
	} else if (is_in_layer(s, fd)) {
		v->reason = "nothing is bound to it, but it lies in a layer of an overlay";
	} else {
		v->state = "orphaned";
		v->reason = "nothing is bound to it, nor can be any more";
	}
}

static void judge(const struct snapshot *s, const struct path_file *file, int fd, const struct stat *st,
		  struct unix_file_verdict *v)
{
	enum answer answer = ANSWER_UNKNOWN;
	struct spot place;
	int r = find_place(s, fd, st, &place);
	bool askable = place.flags & (MOUNT_LOCAL | MOUNT_STACKED);
	int64_t bound;

	v->device = place.device;
	if (askable)
		answer = ask(fd);
	/* Asked in vain is not asked. */
	v->asked = answer != ANSWER_UNKNOWN;
	v->live = answer == ANSWER_LIVE;
	if (answer == ANSWER_STALE) {
		judge_stale(s, file, fd, &place, v);
		return;
	}
	bound = find_bound(s, &place);
	v->listed = bound >= 0;
	v->ambiguous = bound == -EAGAIN;
	if (v->listed || answer == ANSWER_LIVE)
		v->state = "in-use";
	if (v->listed)
		v->reason = "a socket is bound to it";
	else if (v->ambiguous)
		v->reason = answer == ANSWER_LIVE ? "a socket is bound to it; which one cannot be told" :
						    "a socket has its number, but another file may have that";
	else if (answer == ANSWER_LIVE)
		v->reason = "a socket of another network namespace is bound to it, or a new one";
	else
		v->reason = r < 0    ? "its file system cannot be told" :
			    !askable ? "its file system is not local" :
				       "asking takes write permission";
}

int unix_file_judge(const struct snapshot *s, const struct path_file *file, struct unix_file_verdict *verdict)
{
	_cleanup_(close_fd) int fd = open(file->path.ptr, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	*verdict = (struct unix_file_verdict){ .state = "unknown",
					       .reason = "it cannot be reached",
					       .device = device_pack(file->dev) };
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : 0;
	/* It was told by lstat(2) a moment ago: what could hang has hung there. */
	if (fstat(fd, &st) < 0)
		return 0;
	if (st.st_dev != file->dev || st.st_ino != file->ino || !S_ISSOCK(st.st_mode))
		return -ESTALE;
	judge(s, file, fd, &st, verdict);
	return 0;
}

int64_t unix_file_socket(const struct snapshot *s, const char *path)
{
	_cleanup_(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
	struct spot place;
	struct stat st;

	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	/* What is not known of its mount is left out: then a socket must lead there itself. */
	if (find_place(s, fd, &st, &place) == 0 && place.flags & (MOUNT_LOCAL | MOUNT_STACKED) &&
	    ask(fd) == ANSWER_STALE)
		return -ENOENT;
	return find_bound(s, &place);
}

int unix_file_remove(struct snapshot *s, const struct path_file *file, struct report *report)
{
	struct unix_file_verdict verdict;
	int r = unix_file_judge(s, file, &verdict);

	if (r < 0)
		return r;
	if (strcmp(verdict.state, "in-use") == 0 || verdict.ambiguous) {
		report_text(report, "%s", verdict.reason);
		return -EBUSY;
	}
	return path_unlink(file->path.ptr, file->dev, file->ino, report);
}
