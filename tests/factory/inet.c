/* SPDX-License-Identifier: MIT */
/* Internet sockets on the loopback device. */
#include "holding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A new network namespace has it, but down. */
static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket_new(AF_INET, SOCK_DGRAM);

	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		cannot("the loopback device");
	close(fd);
}

struct wanted {
	int family, type;
	union address address;
	socklen_t size;
};

/* type=tcp|udp family=4|6 any=1 port= */
static struct wanted wanted_address(struct job *job)
{
	const char *type = arg_text(&job->args, "type", "tcp");
	uint64_t family = arg_u64(&job->args, "family", 4), any = arg_u64(&job->args, "any", 0);
	in_port_t port = htons(arg_u64(&job->args, "port", 0));
	struct wanted w = { .family = family == 6 ? AF_INET6 : AF_INET,
			    .type = strcmp(type, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM };

	if (family == 6) {
		w.address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						      .sin6_port = port,
						      .sin6_addr = any ? in6addr_any : in6addr_loopback };
		w.size = sizeof(w.address.v6);
	} else {
		w.address.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
						     .sin_port = port,
						     .sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK) };
		w.size = sizeof(w.address.v4);
	}
	return w;
}

static void address_truth(struct truth *truth, const char *name, const union address *address)
{
	bool v6 = address->any.sa_family == AF_INET6;
	char text[INET6_ADDRSTRLEN], field[64];

	inet_ntop(address->any.sa_family, v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr, text,
		  sizeof(text));
	snprintf(field, sizeof(field), "%s_address", name);
	truth_text(truth, field, text);
	snprintf(field, sizeof(field), "%s_port", name);
	truth_u64(truth, field, ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port));
}

/* What getsockname(2) and the like say of it; also its address, for others to connect to. */
static void inet_truth(struct job *job, const char *name, int fd, struct wanted *w)
{
	union address address;
	socklen_t size = sizeof(address);

	socket_truth(&job->truth, name, fd);
	if (getsockname(fd, &address.any, &size) < 0)
		die("getsockname");
	address_truth(&job->truth, name, &address);
	if (w)
		w->address = address;
}

static int bound(const struct wanted *w)
{
	int fd = socket_new(w->family, w->type);

	if (bind(fd, &w->address.any, w->size) < 0) {
		if (w->family == AF_INET6 && errno == EADDRNOTAVAIL)
			cannot("bind to [::1]");
		die("bind");
	}
	return fd;
}

static int connected(const struct wanted *w)
{
	int fd = socket_new(w->family, w->type);

	if (connect(fd, &w->address.any, w->size) < 0)
		die("connect");
	return fd;
}

/* A bound socket, listening if it is of TCP; pending= clients are not accepted. */
void make_inet_listener(struct job *job)
{
	struct args *args = &job->args;
	uint64_t pending = arg_u64(args, "pending", 0), backlog = arg_u64(args, "backlog", 16);
	struct subject subject = { .open = open_copy };
	struct wanted w;
	char field[32];

	loopback_up();
	w = wanted_address(job);
	subject.ends[0] = bound(&w);
	if (w.type == SOCK_STREAM && listen(subject.ends[0], backlog) < 0)
		die("listen");
	inet_truth(job, "a", subject.ends[0], &w);
	hold_start(job, &subject);
	for (uint64_t i = 0; i < pending; i++) {
		snprintf(field, sizeof(field), "pending%llu", (unsigned long long)i);
		inet_truth(job, field, connected(&w), NULL);
	}
	hold_end(job, &subject);
}

static uint64_t received(const void *argument)
{
	const int *fd = argument;
	int n;

	if (ioctl(*fd, FIONREAD, &n) < 0)
		die("FIONREAD");
	return n;
}

/* The client (a) and what accept(2) gave (b), or two sockets of UDP. queued= goes from a to b;
 * closed=1: a's side was closed first, both by the maker, and only the kernel remembers. */
void make_inet_pair(struct job *job)
{
	struct args *args = &job->args;
	struct subject subject = { .open = open_copy };
	uint64_t queued = arg_u64(args, "queued", 0), closed = arg_u64(args, "closed", 0);
	struct wanted w, client;
	int server;

	loopback_up();
	w = client = wanted_address(job);
	server = bound(&w);
	if (w.type == SOCK_STREAM && listen(server, 1) < 0)
		die("listen");
	inet_truth(job, "listener", server, &w);
	subject.ends[0] = connected(&w);
	inet_truth(job, "a", subject.ends[0], &client);
	if (w.type == SOCK_STREAM) {
		subject.ends[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		close(server);
	} else {
		subject.ends[1] = server;
		if (connect(server, &client.address.any, w.size) < 0)
			die("connect");
	}
	inet_truth(job, "b", subject.ends[1], NULL);
	if (queued) {
		send_bytes(subject.ends[0], queued);
		wait_until(received, &subject.ends[1], queued, "bytes");
	}
	truth_u64(&job->truth, "queued", received(&subject.ends[1]));
	if (closed) {
		close(subject.ends[0]);
		close(subject.ends[1]);
		subject.ends[0] = subject.ends[1] = 0;
	}
	hold_all(job, &subject);
}
