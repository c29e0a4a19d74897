/* SPDX-License-Identifier: MIT */
#include "scan/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif

/* The kernel fills at most 32 KiB at a time, but may be changed to fill more. */
#define BUFFER_SIZE ((size_t)256 * 1024)

int netlink_next(struct span *rest, struct netlink_message *message)
{
	struct nlmsghdr head;
	size_t step;

	if (rest->len == 0)
		return 0;
	if (rest->len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, rest->ptr, sizeof(head));
	if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > rest->len)
		return -EBADMSG;
	*message = (struct netlink_message){ .type = head.nlmsg_type,
					     .flags = head.nlmsg_flags,
					     .payload = { rest->ptr + NLMSG_HDRLEN,
							  head.nlmsg_len - NLMSG_HDRLEN } };
	step = NLMSG_ALIGN((size_t)head.nlmsg_len);
	*rest = span_from(*rest, step < rest->len ? step : rest->len);
	return 1;
}

int attribute_next(struct span *rest, unsigned *type, struct span *value)
{
	struct nlattr head;
	size_t step;

	if (rest->len == 0)
		return 0;
	if (rest->len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, rest->ptr, sizeof(head));
	if (head.nla_len < NLA_HDRLEN || head.nla_len > rest->len)
		return -EBADMSG;
	*type = head.nla_type & NLA_TYPE_MASK;
	*value = (struct span){ rest->ptr + NLA_HDRLEN, (size_t)head.nla_len - NLA_HDRLEN };
	step = NLA_ALIGN((size_t)head.nla_len);
	*rest = span_from(*rest, step < rest->len ? step : rest->len);
	return 1;
}

static int attribute_bytes(struct span value, void *out, size_t size)
{
	if (value.len < size)
		return -EBADMSG;
	memcpy(out, value.ptr, size);
	return 0;
}

int attribute_u8(struct span value, uint8_t *out)
{
	return attribute_bytes(value, out, sizeof(*out));
}

int attribute_u32(struct span value, uint32_t *out)
{
	return attribute_bytes(value, out, sizeof(*out));
}

int attribute_u64(struct span value, uint64_t *out)
{
	return attribute_bytes(value, out, sizeof(*out));
}

uint64_t cookie_join(const uint32_t halves[2])
{
	return (uint64_t)halves[1] << 32 | halves[0];
}

void cookie_split(uint64_t cookie, uint32_t halves[2])
{
	halves[0] = (uint32_t)cookie;
	halves[1] = (uint32_t)(cookie >> 32);
}

static int send_request(int fd, uint16_t type, uint16_t flags, struct span request)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr head = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + request.len),
				 .nlmsg_type = type,
				 .nlmsg_flags = flags };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)(uintptr_t)request.ptr, request.len } };
	struct msghdr message = { .msg_name = &kernel,
				  .msg_namelen = sizeof(kernel),
				  .msg_iov = parts,
				  .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t n;

	do
		n = sendmsg(fd, &message, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Fills the buffer with what the kernel, and nobody else, has sent. Bytes or -errno. */
static ssize_t receive(int fd, char *buffer)
{
	struct sockaddr_nl from = { 0 };
	struct iovec part = { buffer, BUFFER_SIZE };
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1
	};
	ssize_t n;

	for (;;) {
		n = recvmsg(fd, &message, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (message.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (n == 0)
			return -EPIPE;
		if (from.nl_pid == 0)
			return n;
		message.msg_namelen = sizeof(from);
	}
}

/* The error that the kernel answers with, 0 for "none": of NLMSG_ERROR and NLMSG_DONE. */
static int answer_error(struct span payload)
{
	int32_t error;

	if (payload.len < sizeof(error))
		return 0;
	memcpy(&error, payload.ptr, sizeof(error));
	return error < 0 ? error : 0;
}

struct dump {
	int (*take)(void *data, struct span payload);
	void *data;
	bool interrupted, done;
};

static int take_messages(struct dump *d, struct span rest)
{
	struct netlink_message m;
	int r;

	while ((r = netlink_next(&rest, &m)) > 0) {
		d->interrupted |= (m.flags & NLM_F_DUMP_INTR) != 0;
		if (m.type == NLMSG_DONE || m.type == NLMSG_ERROR) {
			d->done = true;
			return answer_error(m.payload);
		}
		r = m.type == SOCK_DIAG_BY_FAMILY ? d->take(d->data, m.payload) : 0;
		if (r < 0)
			return r;
	}
	return r;
}

int sock_diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* A descriptor that the caller closes: a new socket, or another of the one given. Or -errno. */
static int own_socket(int diag)
{
	int fd = diag < 0 ? sock_diag_open() : fcntl(diag, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 || diag < 0 ? fd : -errno;
}

int sock_diag_dump(int diag, struct span request, int (*take)(void *data, struct span payload), void *data)
{
	/* A socket for each: what is left of a dump that failed goes with it. */
	_cleanup_(close_fd) int fd = own_socket(diag);
	_cleanup_(free_ptr) char *buffer = NULL;
	struct dump d = { .take = take, .data = data };
	int r;

	if (fd < 0)
		return fd;
	buffer = malloc(BUFFER_SIZE);
	if (!buffer)
		return -ENOMEM;
	r = send_request(fd, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, request);
	while (r == 0 && !d.done) {
		ssize_t n = receive(fd, buffer);

		r = n < 0 ? (int)n : take_messages(&d, (struct span){ buffer, (size_t)n });
	}
	return r < 0 ? r : d.interrupted;
}

int sock_diag_destroy(int diag, struct span request)
{
	_cleanup_(close_fd) int fd = own_socket(diag);
	_cleanup_(free_ptr) char *buffer = NULL;
	struct netlink_message m;
	struct span rest;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	buffer = malloc(BUFFER_SIZE);
	if (!buffer)
		return -ENOMEM;
	r = send_request(fd, SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, request);
	n = r < 0 ? r : receive(fd, buffer);
	if (n < 0)
		return (int)n;
	rest = (struct span){ buffer, (size_t)n };
	r = netlink_next(&rest, &m);
	if (r <= 0 || m.type != NLMSG_ERROR || m.payload.len < sizeof(int32_t))
		return -EBADMSG;
	return answer_error(m.payload);
}
