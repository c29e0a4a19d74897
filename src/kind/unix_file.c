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
#include "lib/file.h"
#include "scan/fdinfo.h"
#include "scan/mountinfo.h"

/* What the mount says of a file on it. */
struct place {
	uint32_t device; /* packed; that of stat(2) is another on btrfs and overlay */
	bool local;	 /* sockets elsewhere cannot be bound to it, nor can it hang */
	bool askable;	 /* it can't hang, but the same file may have another inode */
};

static bool is_one_of(struct span word, const char *const *words)
{
	for (; *words; words++)
		if (span_is(word, *words))
			return true;
	return false;
}

static void describe_mount(const struct mount_line *mount, struct place *place)
{
	static const char *const local[] = { "tmpfs", "ramfs", "devtmpfs", "ext2", "ext3", "ext4",   "xfs",
					     "btrfs", "f2fs",  "bcachefs", "zfs",  "jfs",  "rootfs", NULL };
	static const char *const stacked[] = { "overlay", "aufs", NULL };

	place->device = device_pack(makedev(mount->major, mount->minor));
	place->local = is_one_of(mount->fstype, local);
	place->askable = place->local || is_one_of(mount->fstype, stacked);
}

/* Where the file lies that an O_PATH descriptor is of; -errno: nothing is known. */
static int find_place(int fd, struct place *place)
{
	_cleanup_(close_fd) int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(close_fd) int mounts = -1;
	struct line_reader reader = { 0 };
	struct fdinfo info;
	struct span line;
	uint64_t id;
	char name[12];
	int r;

	if (self < 0)
		return -errno;
	snprintf(name, sizeof(name), "%d", fd);
	r = fdinfo_read(&info, self, ".", name);
	if (r == 0)
		r = fdinfo_number(&info, "mnt_id:", &id);
	if (r < 0)
		return r;
	mounts = openat(self, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts < 0)
		return -errno;
	reader.fd = mounts;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		struct mount_line mount;

		if (mountinfo_parse(line, &mount) < 0 || mount.id != id)
			continue;
		describe_mount(&mount, place);
		break;
	}
	line_reader_free(&reader);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
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

/* A connected socket that has the file's name: it is bound there, if anything is; or it was accepted
 * by what was. Its index, or -ENOENT. */
static int64_t find_connected(const struct snapshot *s, uint32_t device, uint64_t ino)
{
	for (size_t i = 0; i < s->unix_sockets.count; i++) {
		const struct unix_socket *u = &s->unix_sockets.items[i];

		if (u->flags & UNIX_HAS_FILE && u->device == device && u->file == (uint32_t)ino)
			return (int64_t)i;
	}
	return -ENOENT;
}

/* Whether a directory that an overlay is made of holds the path. One that was given relative to
 * who knows what may lie anywhere. */
static bool holds(struct span directory, struct span path)
{
	bool relative = directory.len == 0 || directory.ptr[0] != '/';

	for (size_t at = 0; at + directory.len < path.len; at++) {
		if ((relative ? at > 0 && path.ptr[at - 1] == '/' : at == 0) &&
		    memcmp(path.ptr + at, directory.ptr, directory.len) == 0 &&
		    path.ptr[at + directory.len] == '/')
			return true;
	}
	return false;
}

/* Whether a list of directories, such as "upperdir=/a" or "lowerdir=/a:/b", has one that holds the path. */
static bool lists_holder(struct span option, struct span path)
{
	const char *equals = memchr(option.ptr, '=', option.len);
	struct span rest, item;

	if (!equals || !(span_starts(option, "upperdir") || span_starts(option, "lowerdir")))
		return false;
	rest = span_from(option, (size_t)(equals - option.ptr) + 1);
	while (rest.len > 0) {
		const char *colon = memchr(rest.ptr, ':', rest.len);

		item = (struct span){ rest.ptr, colon ? (size_t)(colon - rest.ptr) : rest.len };
		if (item.len > 0 && holds(item, path))
			return true;
		rest = span_from(rest, colon ? item.len + 1 : rest.len);
	}
	return false;
}

/* Of a mount's options those that are separated by commas; one within a path is escaped. */
static bool mount_covers(const struct mount_line *mount, struct span path)
{
	struct span rest = mount->super;
	bool found = false;

	while (!found && rest.len > 0) {
		_cleanup_(buf_free) struct buf plain = { 0 };
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct span option = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };

		mountinfo_unescape(option, &plain);
		found = plain.failed || lists_holder(buf_span(&plain), path);
		rest = span_from(rest, comma ? option.len + 1 : rest.len);
	}
	return found;
}

/*
 * Whether the file lies in a layer of an overlay that is mounted: a socket bound there is
 * bound to the overlay's inode, not to this one. If that can't be told, it does.
 */
static bool is_in_layer(int fd)
{
	_cleanup_(close_fd) int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct line_reader reader = { .fd = mounts };
	char link[32], path[PATH_MAX];
	bool found = false;
	struct span line;
	ssize_t n;
	int r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (mounts < 0 || n < 0)
		return true;
	while (!found && (r = line_reader_next(&reader, &line)) > 0) {
		struct mount_line mount;

		found = mountinfo_parse(line, &mount) == 0 && span_is(mount.fstype, "overlay") &&
			mount_covers(&mount, (struct span){ path, (size_t)n });
	}
	line_reader_free(&reader);
	return found || r < 0;
}

static void judge(const struct snapshot *s, const struct path_file *file, int fd, struct unix_file_verdict *v)
{
	struct place place = { 0 };
	int r = find_place(fd, &place);
	enum answer answer;

	v->state = "unknown";
	v->device = r == 0 ? place.device : device_pack(file->dev);
	if (r < 0 || !place.askable) {
		v->reason = r < 0 ? "its file system cannot be told" : "its file system is not local";
		return;
	}
	if (hash_find(&s->unix_sockets.by_file, unix_file_key(v->device, (uint32_t)file->ino), NULL)) {
		v->state = "in-use";
		v->reason = "a socket is bound to it";
		v->listed = true;
		return;
	}
	answer = ask(fd);
	if (answer == ANSWER_LIVE) {
		v->state = "in-use";
		v->listed = find_connected(s, v->device, file->ino) >= 0;
		v->reason = v->listed ? "a socket is bound to it" :
					"a socket of another network namespace is bound to it, or a new one";
	} else if (answer == ANSWER_UNKNOWN) {
		v->reason = "asking takes write permission";
	} else if (!place.local) {
		v->reason = "nothing is bound to it here, but its file system is layered";
	} else if (is_named(s, file->path)) {
		v->reason = "nothing is bound to it, but a socket was bound by that name";
	} else if (is_in_layer(fd)) {
		v->reason = "nothing is bound to it, but it lies in a layer of an overlay";
	} else {
		v->state = "orphaned";
		v->reason = "nothing is bound to it, nor can be any more";
	}
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
	judge(s, file, fd, verdict);
	return 0;
}

bool unix_file_is_bound(const struct snapshot *s, const struct path_file *file)
{
	return hash_find(&s->unix_sockets.by_file, unix_file_key(device_pack(file->dev), (uint32_t)file->ino),
			 NULL) != NULL;
}

int64_t unix_file_socket(const struct snapshot *s, const char *path)
{
	_cleanup_(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
	const struct hash_slot *slot;
	struct place place;
	struct stat st;

	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	if (find_place(fd, &place) < 0)
		place = (struct place){ .device = device_pack(st.st_dev) };
	slot = hash_find(&s->unix_sockets.by_file, unix_file_key(place.device, (uint32_t)st.st_ino), NULL);
	if (slot)
		return slot->value;
	return place.askable && ask(fd) == ANSWER_LIVE ? find_connected(s, place.device, st.st_ino) : -ENOENT;
}

int unix_file_remove(struct snapshot *s, const struct path_file *file, struct report *report)
{
	struct unix_file_verdict verdict;
	int r = unix_file_judge(s, file, &verdict);

	if (r < 0)
		return r;
	if (strcmp(verdict.state, "in-use") == 0) {
		report_text(report, "%s", verdict.reason);
		return -EBUSY;
	}
	return path_unlink(file->path.ptr, file->dev, file->ino, report);
}
