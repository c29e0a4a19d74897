/* SPDX-License-Identifier: MIT */
/* What a process of holders= may be blocked in, at the end of its actions: "r+in-poll". */
#include "holding.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void in_read(int fd)
{
	uint64_t count; /* of an eventfd: no less will do */

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
		die("fcntl");
	if (read(fd, &count, sizeof(count)) < 0)
		die("read");
}

/* Until it is full, and longer. */
static void in_write(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	die("write");
}

static void in_receive(int fd)
{
	char byte;

	if (recv(fd, &byte, 1, 0) < 0)
		die("recv");
}

static void in_accept(int fd)
{
	if (accept(fd, NULL, NULL) < 0)
		die("accept");
}

static void in_poll(int fd)
{
	/* One that is left out, and one more that never comes. */
	int never[2];
	struct pollfd fds[3] = { { .fd = -1, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	if (pipe(never) < 0)
		die("pipe");
	fds[2] = (struct pollfd){ .fd = never[0], .events = POLLIN };
	poll(fds, 3, -1);
}

static void in_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, NULL);
}

static void in_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
	epoll_wait(epoll, &got, 1, -1);
}

/* The number that an epoll instance was given means another file by now. */
static void in_stale_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC), copy = dup(fd), never[2];

	if (epoll < 0 || copy < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event) < 0 || pipe(never) < 0 ||
	    dup2(never[0], copy) < 0)
		die("epoll_ctl");
	epoll_wait(epoll, &got, 1, -1);
}

#ifdef SYS_poll
#define POLL_CALL SYS_poll
#else
#define POLL_CALL SYS_ppoll
#endif
#ifdef SYS_epoll_wait
#define EPOLL_CALL SYS_epoll_wait
#else
#define EPOLL_CALL SYS_epoll_pwait
#endif
#ifdef SYS_accept
#define ACCEPT_CALL SYS_accept
#else
#define ACCEPT_CALL SYS_accept4
#endif
/* With words of 32 bits there is one for times of 64. */
#if defined(SYS_pselect6_time64)
#define SELECT_CALL SYS_pselect6_time64
#elif defined(SYS_select)
#define SELECT_CALL SYS_select
#else
#define SELECT_CALL SYS_pselect6
#endif
/* One call for all that sockets do, on some machines. */
#ifdef SYS_socketcall
#define RECEIVE_OTHERWISE SYS_socketcall
#define ACCEPT_OTHERWISE SYS_socketcall
#else
#define RECEIVE_OTHERWISE -1
#define ACCEPT_OTHERWISE SYS_accept4
#endif

static const struct wait_call calls[] = {
	{ "in-read", in_read, SYS_read, -1 },
	{ "in-write", in_write, SYS_write, -1 },
	{ "in-receive", in_receive, SYS_recvfrom, RECEIVE_OTHERWISE },
	{ "in-accept", in_accept, ACCEPT_CALL, ACCEPT_OTHERWISE },
	{ "in-poll", in_poll, POLL_CALL, SYS_ppoll },
	{ "in-select", in_select, SELECT_CALL, SYS_pselect6 },
	{ "in-epoll", in_epoll, EPOLL_CALL, SYS_epoll_pwait },
	{ "in-stale-epoll", in_stale_epoll, EPOLL_CALL, SYS_epoll_pwait },
};

const struct wait_call *wait_call_find(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}
