/* SPDX-License-Identifier: MIT */
/* Making a unix socket: socketpair(2), or bind(2) and listen(2). */
#include "kind/unix_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kind/path.h"
#include "scan/sockdiag.h"
#include "scan/unixdiag.h"

/* linux/un.h, which does not go with sys/un.h; since Linux 4.12. */
#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif

static int choose_type(const char *type)
{
	if (type && strcmp(type, "dgram") == 0)
		return SOCK_DGRAM;
	return type && strcmp(type, "seqpacket") == 0 ? SOCK_SEQPACKET : SOCK_STREAM;
}

/* The kernel takes a path with or without its zero byte, and an abstract name as long as it
 * is said to be. */
static int make_address(const char *name, struct sockaddr_un *address, socklen_t *size, struct report *report)
{
	size_t len = strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*size = 0;
	if (name[0] != '/' && name[0] != '@')
		return report_usage(report, "'%s' is neither a path that begins with a slash nor @NAME",
				    name);
	if (name[0] == '@' && len == 1)
		return report_usage(report, "an abstract name needs a byte behind its @");
	if (len >= sizeof(address->sun_path)) {
		report_text(report, "a socket's name has at most 107 bytes");
		return -ENAMETOOLONG;
	}
	memcpy(address->sun_path, name, len);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return 0;
}

#define MOST_TRIES 100

/* The socket that sock_diag(7) is asked for, and what it says. */
struct sought {
	uint64_t inode;
	bool found;
	uint32_t file; /* lower 32 bits of the inode number */
};

static int take_sought(void *data, struct span payload)
{
	struct sought *sought = data;
	struct unix_answer answer;

	if (unix_answer_parse(payload, &answer) < 0 || answer.socket.inode != sought->inode ||
	    !(answer.socket.flags & UNIX_HAS_FILE))
		return 0;
	sought->found = true;
	sought->file = answer.socket.file;
	return 0;
}

/*
 * Whether the file is the socket's, as far as everybody may know: one of ours lies where
 * none was before, and sock_diag(7) tells the lower half of its number. Devices are not
 * compared: those of btrfs and overlay are others there.
 */
static bool is_likely(int fd, const struct stat *file)
{
	const struct unix_diag_req request = { .sdiag_family = AF_UNIX,
					       .udiag_states = 1U << UNIX_UNCONNECTED,
					       .udiag_show = UDIAG_SHOW_VFS };
	struct sought sought = { 0 };
	struct stat st;

	if (!S_ISSOCK(file->st_mode) || file->st_uid != geteuid() || fstat(fd, &st) < 0)
		return false;
	sought.inode = st.st_ino;
	return sock_diag_dump(-1, (struct span){ (const char *)&request, sizeof(request) }, take_sought,
			      &sought) >= 0 &&
	       sought.found && sought.file == (uint32_t)file->st_ino;
}

/* Unlinks a socket's file that was made elsewhere. Whoever moved its directory may do so
 * again before it is reached, but not for ever. */
static void take_back(int place, const struct stat *made)
{
	_cleanup_(free_ptr) char *path = malloc(PATH_MAX);
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	for (int tries = 0; path && tries < MOST_TRIES; tries++) {
		ssize_t n = readlink(link, path, PATH_MAX - 1);

		if (n < 0)
			return;
		path[n] = '\0';
		if (path_unlink(path, made->st_dev, made->st_ino, NULL) == 0)
			return;
	}
}

/*
 * Finds the file that bind(2) made, which follows the path once more: it must be in the
 * directory that was opened before. With CAP_NET_ADMIN the kernel opens the socket's own file
 * (unix(7), SIOCUNIXFILE). 1; 0: nothing proves which it is; or -errno, and none is left.
 */
static int find_file(int fd, int parent, const char *leaf, struct stat *file)
{
	_cleanup_(close_fd) int place = ioctl(fd, SIOCUNIXFILE);
	bool there = fstatat(parent, leaf, file, AT_SYMLINK_NOFOLLOW) == 0;
	struct stat made;

	if (place < 0)
		return there && is_likely(fd, file);
	if (fstat(place, &made) < 0)
		return -errno;
	if (there && made.st_dev == file->st_dev && made.st_ino == file->st_ino)
		return 1;
	take_back(place, &made);
	return -ESTALE;
}

/* Notes the file, so that it goes with the socket. One that may be another's stays. */
static int note_file(int fd, int *parent, const char *leaf, struct report *report)
{
	struct creation *made = &report->made;
	struct span copy = arena_span(&report->arena, span_of(leaf));
	struct stat file;
	int r = find_file(fd, *parent, leaf, &file);

	if (r == -ESTALE)
		report_text(report, "its directory was moved meanwhile");
	if (r <= 0)
		return r;
	if (!copy.ptr) {
		(void)!path_unlink_at(*parent, leaf, file.st_dev, file.st_ino, NULL);
		return -ENOMEM;
	}
	made->leaf = copy;
	made->dev = file.st_dev;
	made->ino = file.st_ino;
	made->parent = *parent;
	*parent = -1;
	return 0;
}

/* Opens the directory of a path where nothing is yet, but the socket will be. */
static int open_place(const char *name, const char **leaf, struct report *report)
{
	int parent = path_parent(name, leaf);
	struct stat st;
	int r;

	if (parent < 0)
		return parent;
	r = fstatat(parent, *leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 ? -EEXIST : -errno;
	if (r == -ENOENT)
		return parent;
	close_fd(&parent);
	if (r == -EEXIST)
		report_text(report, "what is there is left alone");
	return r;
}

static int bind_path(int fd, const struct create_args *args, const struct sockaddr_un *address,
		     socklen_t size, struct report *report)
{
	const char *leaf;
	_cleanup_(close_fd) int parent = open_place(args->name, &leaf, report);
	mode_t before;
	int r;

	if (parent < 0)
		return parent;
	/* The file gets the socket's mode, less the umask: right from its first moment. */
	if (fchmod(fd, create_mode(args)) < 0)
		return -errno;
	before = umask(~create_mode(args) & 0777);
	r = bind(fd, (const struct sockaddr *)address, size) < 0 ? -errno : 0;
	umask(before);
	if (r == -EADDRINUSE) {
		report_text(report, "what is there is left alone");
		return -EEXIST;
	}
	return r < 0 ? r : note_file(fd, &parent, leaf, report);
}

static int bind_name(int fd, const struct create_args *args, struct report *report)
{
	struct sockaddr_un address;
	socklen_t size;
	int r = make_address(args->name, &address, &size, report);

	if (r < 0)
		return r;
	if (args->name[0] == '/')
		return bind_path(fd, args, &address, size, report);
	return bind(fd, (const struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

static int make_pair(int type, struct report *report)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	report_made(report, fds[0], "IPCCTL_FD");
	report_made(report, fds[1], "IPCCTL_PEER_FD");
	return 0;
}

static int make_named(int type, const struct create_args *args, struct report *report)
{
	int backlog = args->backlog.set ? (int)args->backlog.value : SOMAXCONN;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	report_made(report, fd, "IPCCTL_FD");
	report->made.listens = true;
	r = bind_name(fd, args, report);
	if (r == 0 && type != SOCK_DGRAM && listen(fd, backlog) < 0)
		r = -errno;
	return r;
}

int unix_socket_create(const struct create_args *args, struct report *report)
{
	int type = choose_type(args->type);
	struct stat st;
	int r;

	if (args->backlog.set && (!args->name || type == SOCK_DGRAM))
		return report_usage(report,
				    "--backlog is of a socket that listens: a named stream or seqpacket one");
	if (args->backlog.set && args->backlog.value > INT32_MAX)
		return report_usage(report, "--backlog is too large");
	if (args->mode.set && (!args->name || args->name[0] != '/'))
		return report_usage(report, "--mode is of a socket with a path");
	r = args->name ? make_named(type, args, report) : make_pair(type, report);
	if (r < 0)
		return r;
	if (fstat(report->made.fds[0].fd, &st) < 0)
		return -errno;
	return report_ref(report, "unix-socket:%llu", (unsigned long long)st.st_ino);
}

const struct opt unix_socket_create_opts[UNIX_SOCKET_NCREATE_OPTS] = {
	{ .name = "type",
	  .type = OPT_STRING,
	  .arg = "TYPE",
	  .offset = offsetof(struct create_args, type),
	  .choices = "stream|dgram|seqpacket",
	  .complete = COMPLETE_CHOICE,
	  .help = "stream, dgram or seqpacket (default stream)" },
	{ .name = "backlog",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, backlog),
	  .help = "clients that may wait to be accepted (default as many as the system lets)" },
	CREATE_OPT_MODE,
};
