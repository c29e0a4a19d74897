/* SPDX-License-Identifier: MIT */
/* What a process of holders= can do, one after the other. */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

int open_flags(unsigned access)
{
	static const int flags[] = {
		[0] = O_PATH, [HELD_READ] = O_RDONLY, [HELD_WRITE] = O_WRONLY, [HELD_BOTH] = O_RDWR,
	};

	return flags[access] | O_CLOEXEC;
}

int open_copy(const struct subject *subject, unsigned side, unsigned access)
{
	(void)access;
	return fcntl(subject->ends[side], F_DUPFD_CLOEXEC, 0);
}

int open_again(const struct subject *subject, unsigned side, unsigned access)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", subject->ends[side]);
	return open(path, open_flags(access));
}

int subject_open(const struct subject *subject, unsigned side, unsigned access)
{
	int fd;

	if (!subject->open)
		wrong("this thing has no descriptors");
	fd = subject->open(subject, side, access);
	if (fd < 0)
		die("open %s", subject->name ? subject->name : "a copy");
	return fd;
}

void close_ends(const struct subject *subject)
{
	for (int i = 0; i < 2; i++)
		if (subject->ends[i] > 0)
			close(subject->ends[i]);
}

static void hold_descriptor(struct holding_process *p, unsigned side, unsigned access)
{
	p->last_fd = subject_open(p->subject, side, access);
	p->last_held = board_add(p->subject->board,
				 (struct held){ .fd = p->last_fd, .access = access, .side = side });
}

static void hold_copy(struct holding_process *p, unsigned side, unsigned access)
{
	const struct held *last = &p->subject->board->items[p->last_held];
	int fd = dup(p->last_fd);

	(void)side;
	(void)access;
	if (fd < 0)
		die("dup");
	board_add(p->subject->board, (struct held){ .fd = fd, .access = last->access, .side = last->side });
}

static void close_last(struct holding_process *p, unsigned side, unsigned access)
{
	(void)side;
	(void)access;
	if (close(p->last_fd) < 0)
		die("close");
	p->subject->board->items[p->last_held].closed = true;
}

/* Lets go of everything but a copy that is under way in a socket. */
static void send_away(struct holding_process *p, unsigned side, unsigned access)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int pair[2], fd = subject_open(p->subject, side, access);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0 || sendmsg(pair[0], &message, 0) < 0)
		die("sendmsg");
	close(fd);
}

static void fork_child(struct holding_process *p, unsigned side, unsigned access)
{
	struct board *board = p->subject->board;
	unsigned count = atomic_load(&board->count);
	pid_t parent = getpid(), pid;

	(void)side;
	(void)access;
	atomic_fetch_add(&board->expected, 1);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	board_inherit(board, parent, count);
	let_go(p);
	atomic_fetch_add(&board->ready, 1);
	wait_forever();
}

/* A thread with a table of descriptors that the process itself does not see. */
struct own_table {
	const struct subject *subject;
	atomic_uint opened;
};

static void *own_table_thread(void *argument)
{
	struct own_table *table = argument;
	const struct subject *subject = table->subject;

	if (unshare(CLONE_FILES) < 0)
		die("unshare");
	board_add(subject->board, (struct held){ .fd = subject_open(subject, 0, HELD_BOTH), .access = HELD_BOTH });
	close_ends(subject);
	atomic_fetch_add(&subject->board->ready, 1);
	atomic_store(&table->opened, 1);
	wait_forever();
}

static uint64_t has_opened(const void *argument)
{
	const struct own_table *table = argument;

	return atomic_load(&table->opened);
}

static void start_own_table(struct holding_process *p, unsigned side, unsigned access)
{
	struct own_table *table = calloc(1, sizeof(*table));
	pthread_t thread;

	(void)side;
	(void)access;
	if (!table)
		die("memory");
	table->subject = p->subject;
	atomic_fetch_add(&p->subject->board->expected, 1);
	errno = pthread_create(&thread, NULL, own_table_thread, table);
	if (errno)
		die("pthread_create");
	/* It takes a copy of the table as it is now. */
	wait_until(has_opened, table, 1, "thread");
}

static const struct action {
	const char *name;
	hold_fn *act;
	unsigned access;
	unsigned side;
} actions[] = {
	/* a descriptor, open so; of a pipe it is the end that this takes */
	{ "r", hold_descriptor, HELD_READ, 0 },
	{ "w", hold_descriptor, HELD_WRITE, 0 },
	{ "rw", hold_descriptor, HELD_BOTH, 0 },
	{ "path", hold_descriptor, 0, 0 },
	/* one of two ends: sockets of a pair, master (a) and slave (b) of a terminal */
	{ "a", hold_descriptor, HELD_BOTH, 0 },
	{ "b", hold_descriptor, HELD_BOTH, 1 },
	{ "b-r", hold_descriptor, HELD_READ, 1 },
	/* a copy of the last one; the last one is closed */
	{ "dup", hold_copy, 0, 0 },
	{ "close", close_last, 0, 0 },
	/* a mapping of a file alone: the descriptor is closed again */
	{ "map-r", hold_mapping, HELD_READ, 0 },
	{ "map-w", hold_mapping, HELD_WRITE, 0 },
	{ "map-rw", hold_mapping, HELD_BOTH, 0 },
	{ "map-none", hold_mapping, 0, 0 },
	{ "map-private", hold_private_mapping, HELD_BOTH, 0 },
	{ "map-second-page", hold_second_page, HELD_BOTH, 0 },
	{ "semaphore", hold_semaphore, HELD_BOTH, 0 },
	{ "attach", hold_attachment, HELD_BOTH, 0 },
	{ "attach-r", hold_attachment, HELD_READ, 0 },
	/* memory that the maker shared */
	{ "keep", keep_memory, HELD_BOTH, 0 },
	{ "keep-head", keep_head, HELD_BOTH, 0 },
	{ "keep-tail", keep_tail, HELD_BOTH, 0 },
	{ "keep-around", keep_around, HELD_BOTH, 0 },
	{ "keep-protected", keep_protected, HELD_BOTH, 0 },
	{ "keep-moved", keep_moved, HELD_BOTH, 0 },
	/* a child that inherits what is held so far */
	{ "fork", fork_child, 0, 0 },
	/* a thread with descriptors of its own opens one */
	{ "thread", start_own_table, 0, 0 },
	/* only a message in a socket has it */
	{ "flight", send_away, HELD_BOTH, 0 },
	{ "flight-r", send_away, HELD_READ, 0 },
	{ "flight-w", send_away, HELD_WRITE, 0 },
	{ "flight-b", send_away, HELD_BOTH, 1 },
};

static void change_user(const char *uid)
{
	uid_t user = number(uid);

	if (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		die("setresuid");
	/* Taken away with the old user. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* "name=HEX", "uid=N" and "dumpable": who it is. These come before what it holds. */
static bool become(const char *text)
{
	if (strncmp(text, "name=", 5) == 0) {
		struct bytes name = decode_hex(text + 5);

		prctl(PR_SET_NAME, name.data);
		free(name.data);
	} else if (strncmp(text, "uid=", 4) == 0) {
		change_user(text + 4);
	} else if (strcmp(text, "dumpable") == 0) {
		/* As after execve(2): its /proc/PID belongs to its user. */
		prctl(PR_SET_DUMPABLE, 1);
	} else {
		return false;
	}
	return true;
}

void hold_act(struct holding_process *p, const char *text)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, text) == 0) {
			actions[i].act(p, actions[i].side, actions[i].access);
			return;
		}
	if (!become(text))
		wrong("%s: no such action", text);
}
