/* SPDX-License-Identifier: MIT */
/* What a process of holders= can do, one after the other. */
#include "holding.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

/* A process while it does its actions. */
struct holding_process {
	const struct subject *subject;
	int last_fd; /* the descriptor opened last, or -1 */
	unsigned last_access;
};

static int open_as(const struct subject *subject, unsigned access)
{
	static const int flags[] = {
		[HELD_READ] = O_RDONLY, [HELD_WRITE] = O_WRONLY, [HELD_READ | HELD_WRITE] = O_RDWR,
	};
	int fd;

	if (!subject->open)
		wrong("this thing has no descriptors");
	fd = subject->open(subject->name, access ? flags[access] : O_PATH);
	if (fd < 0)
		die("open %s", subject->name);
	return fd;
}

static void hold_descriptor(struct holding_process *p, unsigned access)
{
	p->last_fd = open_as(p->subject, access);
	p->last_access = access;
	board_add(p->subject->board, (struct held){ .fd = p->last_fd, .access = access });
}

static void hold_copy(struct holding_process *p, unsigned access)
{
	int fd = dup(p->last_fd);

	(void)access;
	if (fd < 0)
		die("dup");
	board_add(p->subject->board, (struct held){ .fd = fd, .access = p->last_access });
}

static void add_mapping(const struct subject *subject, const void *address, unsigned access)
{
	uint64_t page = sysconf(_SC_PAGESIZE), start = (uintptr_t)address;
	uint64_t end = start + (subject->size + page - 1) / page * page;

	board_add(subject->board, (struct held){ .fd = -1, .start = start, .end = end, .access = access });
}

static void map_file(struct holding_process *p, unsigned access, int sharing)
{
	/* A shared mapping for writing takes a descriptor that may read, too. */
	int fd = open_as(p->subject, access & HELD_WRITE && sharing == MAP_SHARED ? HELD_READ | HELD_WRITE : HELD_READ);
	int protection = (access & HELD_READ ? PROT_READ : 0) | (access & HELD_WRITE ? PROT_WRITE : 0);
	void *address = mmap(NULL, p->subject->size, protection, sharing, fd, 0);

	if (address == MAP_FAILED)
		die("mmap");
	close(fd);
	/* What is written to a private mapping never gets to the object. */
	add_mapping(p->subject, address, sharing == MAP_SHARED ? access : access & HELD_READ);
}

static void hold_mapping(struct holding_process *p, unsigned access)
{
	map_file(p, access, MAP_SHARED);
}

static void hold_private_mapping(struct holding_process *p, unsigned access)
{
	map_file(p, access, MAP_PRIVATE);
}

static void hold_semaphore(struct holding_process *p, unsigned access)
{
	sem_t *semaphore = sem_open(p->subject->name, 0);

	if (semaphore == SEM_FAILED)
		die("sem_open");
	/* The libc closes its descriptor and maps one page, where the semaphore begins. */
	add_mapping(p->subject, semaphore, access);
}

static void hold_attachment(struct holding_process *p, unsigned access)
{
	void *address = shmat(p->subject->id, NULL, access & HELD_WRITE ? 0 : SHM_RDONLY);

	if (address == (void *)-1)
		die("shmat");
	add_mapping(p->subject, address, access);
}

/* Lets go of everything but a copy that is under way in a socket. */
static void send_away(struct holding_process *p, unsigned access)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int pair[2], fd = open_as(p->subject, access);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0 || sendmsg(pair[0], &message, 0) < 0)
		die("sendmsg");
	close(fd);
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

static void fork_child(struct holding_process *p, unsigned access)
{
	struct board *board = p->subject->board;
	unsigned count = atomic_load(&board->count);
	pid_t parent = getpid(), pid;

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
	atomic_fetch_add(&board->ready, 1);
	wait_forever();
}

static void *idle_thread(void *argument)
{
	(void)argument;
	wait_forever();
	return NULL;
}

/* Holds through a table of descriptors that the process itself does not see. */
static void *own_table_thread(void *argument)
{
	const struct subject *subject = argument;

	if (unshare(CLONE_FILES) < 0)
		die("unshare");
	board_add(subject->board,
		  (struct held){ .fd = open_as(subject, HELD_READ | HELD_WRITE), .access = HELD_READ | HELD_WRITE });
	atomic_fetch_add(&subject->board->ready, 1);
	wait_forever();
	return NULL;
}

static void start_thread(void *(*body)(void *), const struct subject *subject)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, body, (void *)(uintptr_t)subject);
	if (errno)
		die("pthread_create");
}

static void start_own_table(struct holding_process *p, unsigned access)
{
	(void)access;
	atomic_fetch_add(&p->subject->board->expected, 1);
	start_thread(own_table_thread, p->subject);
}

static const struct action {
	const char *name;
	void (*act)(struct holding_process *p, unsigned access);
	unsigned access;
} actions[] = {
	/* a descriptor, open so; of a file or a queue */
	{ "r", hold_descriptor, HELD_READ },
	{ "w", hold_descriptor, HELD_WRITE },
	{ "rw", hold_descriptor, HELD_READ | HELD_WRITE },
	{ "path", hold_descriptor, 0 },
	/* a copy of the last one */
	{ "dup", hold_copy, 0 },
	/* a mapping of a file alone: the descriptor is closed again */
	{ "map-r", hold_mapping, HELD_READ },
	{ "map-w", hold_mapping, HELD_WRITE },
	{ "map-rw", hold_mapping, HELD_READ | HELD_WRITE },
	{ "map-none", hold_mapping, 0 },
	{ "map-private", hold_private_mapping, HELD_READ | HELD_WRITE },
	{ "semaphore", hold_semaphore, HELD_READ | HELD_WRITE },
	{ "attach", hold_attachment, HELD_READ | HELD_WRITE },
	{ "attach-r", hold_attachment, HELD_READ },
	/* a child that inherits what is held so far */
	{ "fork", fork_child, 0 },
	/* a thread with descriptors of its own opens one */
	{ "thread", start_own_table, 0 },
	/* only a message in a socket has it */
	{ "flight", send_away, HELD_READ | HELD_WRITE },
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

static void act(struct holding_process *p, const char *text)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, text) == 0) {
			actions[i].act(p, actions[i].access);
			return;
		}
	if (!become(text))
		wrong("%s: no such action", text);
}

/* A process and how it is to end up: 'T' stopped, 'Z' only its threads live on, or 0. */
struct plan {
	const struct subject *subject;
	char *text;
	char state;
};

static void carry_out(const void *argument)
{
	const struct plan *plan = argument;
	struct holding_process p = { .subject = plan->subject, .last_fd = -1 };
	char *rest = plan->text, *text;

	while ((text = strsep(&rest, "+")))
		act(&p, text);
	if (plan->state == 'Z')
		start_thread(idle_thread, NULL);
	atomic_fetch_add(&plan->subject->board->ready, 1);
	if (plan->state == 'T')
		raise(SIGSTOP);
	if (plan->state == 'Z')
		pthread_exit(NULL);
	wait_forever();
}

/* "+stop" and "+leave" at the end of a process say how it ends up. */
static char cut_state(char *text)
{
	char *plus = strrchr(text, '+');
	const char *last = plus ? plus + 1 : text;
	char state = strcmp(last, "stop") == 0 ? 'T' : strcmp(last, "leave") == 0 ? 'Z' : '\0';

	if (state && !plus)
		wrong("%s: what should it hold?", text);
	if (state)
		*plus = '\0';
	return state;
}

static uint64_t is_ready(const void *argument)
{
	const struct board *board = argument;
	unsigned ready = atomic_load(&board->ready);

	return ready >= atomic_load(&board->expected);
}

struct wanted_state {
	pid_t pid;
	char state;
};

static uint64_t has_state(const void *argument)
{
	const struct wanted_state *wanted = argument;
	char path[64], text[512] = "", *close;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)wanted->pid);
	f = fopen(path, "re");
	if (!f)
		die("%s", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	close = strrchr(text, ')');
	return close && close[1] && close[2] == wanted->state;
}

void hold_start(struct job *job, const struct subject *subject)
{
	char *list = strdup(arg_text(&job->args, "holders", "")), *rest = list, *text;
	struct wanted_state *wanted = NULL;
	size_t nwanted = 0;

	while ((text = next_item(&rest))) {
		struct plan plan = { .subject = subject, .text = text, .state = cut_state(text) };

		atomic_fetch_add(&subject->board->expected, 1);
		wanted = realloc(wanted, (nwanted + 1) * sizeof(*wanted));
		if (!wanted)
			die("memory");
		wanted[nwanted].pid = task_start(&job->tasks, carry_out, &plan);
		wanted[nwanted++].state = plan.state;
	}
	wait_until(is_ready, subject->board, 1, "holders");
	for (size_t i = 0; i < nwanted; i++)
		if (wanted[i].state)
			wait_until(has_state, &wanted[i], 1, "states of processes");
	free(wanted);
	free(list);
}
