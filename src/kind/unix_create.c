/* SPDX-License-Identifier: MIT */
/* Making a unix socket: socketpair(2), or bind(2) and listen(2). */
#include "kind/unix_create.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kind/common.h"

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

/* Notes the file, so that it goes with the socket. */
static int note_file(const char *path, struct report *report)
{
	struct creation *made = &report->made;
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -ESTALE;
	made->path = arena_span(&report->arena, span_of(path));
	made->dev = st.st_dev;
	made->ino = st.st_ino;
	if (made->path.ptr)
		return 0;
	unlink(path);
	return -ENOMEM;
}

static int bind_name(int fd, const struct create_args *args, struct report *report)
{
	struct sockaddr_un address;
	socklen_t size;
	mode_t before;
	int r = make_address(args->name, &address, &size, report);

	if (r < 0)
		return r;
	/* The file gets the socket's mode, less the umask: right from its first moment. */
	if (fchmod(fd, create_mode(args)) < 0)
		return -errno;
	before = umask(~create_mode(args) & 0777);
	r = bind(fd, (const struct sockaddr *)&address, size) < 0 ? -errno : 0;
	umask(before);
	if (r == -EADDRINUSE && args->name[0] == '/') {
		report_text(report, "what is there is left alone");
		return -EEXIST;
	}
	return r < 0 || args->name[0] == '@' ? r : note_file(args->name, report);
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
	report->ref = arena_printf(&report->arena, "unix-socket:%llu", (unsigned long long)st.st_ino);
	return report->ref.ptr ? 0 : -ENOMEM;
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
