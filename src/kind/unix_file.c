/* SPDX-License-Identifier: MIT */
#include "kind/unix_file.h"

#include <errno.h>
#include <fcntl.h>
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

/*
 * A datagram socket cannot connect to a listener (EPROTOTYPE), and to another datagram
 * socket it sends nothing. The name leads through the descriptor: it is that very file,
 * however long its path is.
 */
static enum answer ask(int fd)
{
	_cleanup_(close_fd) int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	if (probe < 0)
		return ANSWER_UNKNOWN;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", fd);
	if (connect(probe, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		/* Since Linux 5.15 the other side counts as connected until this one says goodbye. */
		(void)connect(probe, &nowhere, sizeof(nowhere));
		return ANSWER_LIVE;
	}
	switch (errno) {
	case EPROTOTYPE:
	case EPERM: /* it is connected to another, and takes nothing from us */
		return ANSWER_LIVE;
	case ECONNREFUSED:
		return ANSWER_STALE;
	default:
		return ANSWER_UNKNOWN;
	}
}

/* A socket whose name is the path: the file may be another's by another way there. */
static bool is_named(const struct snapshot *s, struct span path)
{
	return hash_find(&s->unix_sockets.by_name, hash_bytes(path), NULL) != NULL;
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
		return;
	}
	answer = ask(fd);
	if (answer == ANSWER_LIVE) {
		v->state = "in-use";
		v->reason = "a socket is bound to it, perhaps in another network namespace";
	} else if (answer == ANSWER_UNKNOWN) {
		v->reason = "asking takes write permission";
	} else if (!place.local) {
		v->reason = "nothing is bound to it here, but its file system is layered";
	} else if (is_named(s, file->path)) {
		v->reason = "nothing is bound to it, but a socket was bound by that name";
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
		place.device = device_pack(st.st_dev);
	slot = hash_find(&s->unix_sockets.by_file, unix_file_key(place.device, (uint32_t)st.st_ino), NULL);
	return slot ? (int64_t)slot->value : -ENOENT;
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
