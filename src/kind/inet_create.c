/* SPDX-License-Identifier: MIT */
/* Making an internet socket: bind(2) and listen(2). */
#include "kind/inet_create.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kind/common.h"
#include "kind/inet_address.h"

/* Every address of both families, if the system has both. */
static int bind_everywhere(int fd, uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int off = 0;

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

static int bind_v6(int fd, const struct inet_end *end)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(end->port) };

	memcpy(&address.sin6_addr, end->address, sizeof(address.sin6_addr));
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int bind_v4(int fd, const struct inet_end *end)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(end->port) };

	memcpy(&address.sin_addr, end->address + 12, sizeof(address.sin_addr));
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int open_socket(const struct inet_name *name, bool v6)
{
	const struct inet_protocol_info *protocol = &inet_protocols[name->protocol];
	int fd = socket(v6 ? AF_INET6 : AF_INET, protocol->type | SOCK_CLOEXEC, protocol->number);

	return fd < 0 ? -errno : fd;
}

static int make(const struct inet_name *name, int backlog, struct report *report)
{
	bool v6 = name->any_address || !inet_end_is_v4(&name->end), stream;
	int fd = open_socket(name, v6), on = 1, r;

	/* Without IPv6 every address is every address of IPv4. */
	if (fd == -EAFNOSUPPORT && name->any_address) {
		v6 = false;
		fd = open_socket(name, v6);
	}
	if (fd < 0)
		return fd;
	report_made(report, fd, "IPCCTL_FD");
	report->made.listens = true;
	stream = inet_protocols[name->protocol].type == SOCK_STREAM;
	/* As servers do: connections of a former one that time out are no obstacle. */
	if (stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	r = !v6		      ? bind_v4(fd, &name->end) :
	    name->any_address ? bind_everywhere(fd, name->end.port) :
				bind_v6(fd, &name->end);
	if (r == 0 && stream && listen(fd, backlog) < 0)
		r = -errno;
	return r;
}

int inet_socket_create(const struct create_args *args, struct report *report)
{
	int backlog = args->backlog.set ? (int)args->backlog.value : SOMAXCONN;
	struct inet_name name;
	struct stat st;
	int r;

	if (!args->name || inet_name_parse(span_of(args->name), &name) < 0)
		return report_usage(
			report,
			"'%s' is no PROTOCOL:ADDRESS:PORT, such as tcp:127.0.0.1:8080, udp:[::1]:53 or "
			"tcp:*:0",
			args->name ? args->name : "");
	if (name.protocol == INET_RAW || name.protocol == INET_ICMP)
		return report_usage(report, "raw and icmp sockets have no port that could be bound");
	if (args->backlog.set &&
	    (args->backlog.value > INT32_MAX || inet_protocols[name.protocol].type != SOCK_STREAM))
		return report_usage(report, "--backlog is of a socket that listens, and at most 2147483647");
	r = make(&name, backlog, report);
	if (r == -EPROTONOSUPPORT)
		report_text(report, "the kernel has no %s", inet_protocols[name.protocol].name);
	if (r < 0)
		return r;
	if (fstat(report->made.fds[0].fd, &st) < 0)
		return -errno;
	return report_ref(report, "inet-socket:%llu", (unsigned long long)st.st_ino);
}

const struct opt inet_socket_create_opts[INET_SOCKET_NCREATE_OPTS] = {
	{ .name = "backlog",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, backlog),
	  .help = "connections that may wait to be accepted (default as many as the system lets)" },
};
