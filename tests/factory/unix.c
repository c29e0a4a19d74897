/* SPDX-License-Identifier: MIT */
/* Unix sockets: pairs, listeners with clients that wait, datagrams. */
#include "holding.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* NAME_ino, NAME_cookie and NAME_fd of a socket of this process. */
void socket_truth(struct truth *truth, const char *name, int fd)
{
	char field[64];
	struct stat st;
	uint64_t cookie;
	socklen_t size = sizeof(cookie);

	if (fstat(fd, &st) < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0)
		die("SO_COOKIE");
	snprintf(field, sizeof(field), "%s_ino", name);
	truth_u64(truth, field, st.st_ino);
	snprintf(field, sizeof(field), "%s_cookie", name);
	truth_u64(truth, field, cookie);
	snprintf(field, sizeof(field), "%s_fd", name);
	truth_i64(truth, field, fd);
}

void socket_queue_truth(struct truth *truth, const char *name, int fd)
{
	char field[64];
	int in, out;

	if (ioctl(fd, SIOCINQ, &in) < 0 || ioctl(fd, SIOCOUTQ, &out) < 0)
		die("SIOCINQ");
	snprintf(field, sizeof(field), "%s_inq", name);
	truth_u64(truth, field, in);
	snprintf(field, sizeof(field), "%s_outq", name);
	truth_u64(truth, field, out);
}

static int socket_type(struct args *args, const char *otherwise)
{
	const char *name = arg_text(args, "type", otherwise);

	if (strcmp(name, "stream") == 0)
		return SOCK_STREAM;
	if (strcmp(name, "seqpacket") == 0)
		return SOCK_SEQPACKET;
	if (strcmp(name, "dgram") == 0)
		return SOCK_DGRAM;
	wrong("%s: no such type", name);
}

int socket_new(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		cannot("socket");
	return fd;
}

/* rights=N: a byte with N descriptors, of the socket itself. */
static void send_rights(int fd, uint64_t count)
{
	char space[CMSG_SPACE(sizeof(int) * 64)] __attribute__((aligned(sizeof(size_t)))) = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = space,
				  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *head = (struct cmsghdr *)space;

	if (count == 0)
		return;
	if (count > 64)
		wrong("rights= is more than 64");
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * count);
	for (uint64_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(head) + i * sizeof(int), &fd, sizeof(fd));
	if (sendmsg(fd, &message, 0) < 0)
		die("sendmsg");
}

void send_bytes(int fd, uint64_t count)
{
	char *data = calloc(1, count + 1);

	if (!data || (count && send(fd, data, count, 0) != (ssize_t)count))
		die("send");
	free(data);
}

/* queued= and rights= go from a to b. */
void make_unix_pair(struct job *job)
{
	struct args *args = &job->args;
	struct subject subject = { .open = open_copy };
	int type = socket_type(args, "stream");
	const char *end = arg_text(args, "shutdown", NULL); /* of a */

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, subject.ends) < 0)
		die("socketpair");
	send_bytes(subject.ends[0], arg_u64(args, "queued", 0));
	send_rights(subject.ends[0], arg_u64(args, "rights", 0));
	if (end && shutdown(subject.ends[0], strcmp(end, "both") == 0    ? SHUT_RDWR :
					     strcmp(end, "receive") == 0 ? SHUT_RD :
									   SHUT_WR) < 0)
		die("shutdown");
	socket_truth(&job->truth, "a", subject.ends[0]);
	socket_truth(&job->truth, "b", subject.ends[1]);
	socket_queue_truth(&job->truth, "a", subject.ends[0]);
	socket_queue_truth(&job->truth, "b", subject.ends[1]);
	hold_all(job, &subject);
}

static socklen_t unix_address(struct sockaddr_un *address, struct bytes name)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (name.len > sizeof(address->sun_path))
		wrong("the name is longer than sun_path");
	memcpy(address->sun_path, name.data, name.len);
	/* A path ends with a zero byte; an abstract name is exactly its bytes (unix(7)). */
	return offsetof(struct sockaddr_un, sun_path) + name.len + (name.len && name.data[0] != '\0');
}

static int bound_socket(int type, struct bytes name)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(&address, name);
	int fd = socket_new(AF_UNIX, type);

	if (bind(fd, (struct sockaddr *)&address, size) < 0)
		die("bind");
	return fd;
}

static int connected_socket(int type, struct bytes name)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(&address, name);
	int fd = socket_new(AF_UNIX, type);

	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		die("connect");
	return fd;
}

/* The file, as lstat sees it, of a name that is a path. */
static void file_truth(struct truth *truth, struct bytes name)
{
	struct stat st;

	if (!name.len || !name.data[0])
		return;
	if (lstat(name.data, &st) < 0)
		die("lstat");
	truth_u64(truth, "file_ino", st.st_ino);
	truth_u64(truth, "file_mode", st.st_mode & 07777);
}

/*
 * accepted= and pending= clients, the factory's own, connect after each other; the
 * accepted ones' other ends are its own too. The listener is held by holders=.
 */
void make_unix_listener(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct subject subject = { .open = open_copy };
	uint64_t accepted = arg_u64(args, "accepted", 0), pending = arg_u64(args, "pending", 0);
	int type = socket_type(args, "stream"), listener = bound_socket(type, name);
	char field[32];

	if (listen(listener, arg_u64(args, "backlog", 16)) < 0)
		die("listen");
	file_truth(&job->truth, name);
	socket_truth(&job->truth, "listener", listener);
	subject.ends[0] = listener;
	hold_start(job, &subject);
	for (uint64_t i = 0; i < accepted; i++) {
		snprintf(field, sizeof(field), "client%llu", (unsigned long long)i);
		socket_truth(&job->truth, field, connected_socket(type, name));
		snprintf(field, sizeof(field), "server%llu", (unsigned long long)i);
		socket_truth(&job->truth, field, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	}
	for (uint64_t i = 0; i < pending; i++) {
		snprintf(field, sizeof(field), "pending%llu", (unsigned long long)i);
		socket_truth(&job->truth, field, connected_socket(type, name));
	}
	if (arg_u64(args, "unlink", 0) && unlink(name.data) < 0)
		die("unlink");
	hold_end(job, &subject);
}

/* datagrams=SIZE,..: from a connected sender (b) to a bound receiver (a). */
void make_unix_dgram(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct subject subject = { .open = open_copy };
	char *list = strdup(arg_text(args, "datagrams", "")), *rest = list, *item;

	subject.ends[0] = bound_socket(SOCK_DGRAM, name);
	subject.ends[1] = connected_socket(SOCK_DGRAM, name);
	while ((item = next_item(&rest)))
		send_bytes(subject.ends[1], number(item));
	free(list);
	file_truth(&job->truth, name);
	socket_truth(&job->truth, "a", subject.ends[0]);
	socket_truth(&job->truth, "b", subject.ends[1]);
	socket_queue_truth(&job->truth, "a", subject.ends[0]);
	hold_all(job, &subject);
}
