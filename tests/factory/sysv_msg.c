/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>

#ifndef __NR_msgrcv
#define __NR_msgrcv -1 /* reached through ipc(2) */
#define __NR_msgsnd -1
#endif
#ifndef __NR_ipc
#define __NR_ipc -1
#endif

struct message {
	long type;
	char body[];
};

struct waiter {
	int id;
	int64_t type;
	uint64_t size;
};

/* A body whose bytes can be told apart: byte i of message n is 'a' + (i + n) % 26. */
static struct message *message_new(int64_t type, uint64_t size, uint64_t n)
{
	struct message *m = malloc(sizeof(*m) + size);

	if (!m)
		die("memory");
	m->type = type;
	for (uint64_t i = 0; i < size; i++)
		m->body[i] = 'a' + (i + n) % 26;
	return m;
}

static void receive(const void *argument)
{
	const struct waiter *w = argument;
	struct message *m = message_new(0, 65536, 0);

	msgrcv(w->id, m, 65536, w->type, 0);
}

static void send_one(const void *argument)
{
	const struct waiter *w = argument;

	msgsnd(w->id, message_new(w->type, w->size, 0), w->size, 0);
}

static void set_attributes(int id, struct job *job)
{
	uint64_t uid = arg_u64(&job->args, "uid", UINT64_MAX), gid = arg_u64(&job->args, "gid", UINT64_MAX);
	uint64_t qbytes = arg_u64(&job->args, "qbytes", UINT64_MAX);
	struct msqid_ds ds;

	if (uid == UINT64_MAX && gid == UINT64_MAX && qbytes == UINT64_MAX)
		return;
	if (msgctl(id, IPC_STAT, &ds) < 0)
		die("msgctl IPC_STAT");
	if (uid != UINT64_MAX)
		ds.msg_perm.uid = uid;
	if (gid != UINT64_MAX)
		ds.msg_perm.gid = gid;
	if (qbytes != UINT64_MAX)
		ds.msg_qbytes = qbytes;
	if (msgctl(id, IPC_SET, &ds) < 0)
		cannot("msgctl IPC_SET");
}

/* TYPE:SIZE,... */
static void send_all(int id, char *list)
{
	uint64_t n = 0;
	char *item;

	while ((item = next_item(&list))) {
		char *colon = strchr(item, ':');
		struct message *m;
		uint64_t size;

		if (!colon)
			wrong("%s: expected TYPE:SIZE", item);
		*colon = '\0';
		size = number(colon + 1);
		m = message_new(number(item), size, n++);
		if (msgsnd(id, m, size, IPC_NOWAIT) < 0)
			die("msgsnd");
		free(m);
	}
}

void make_sysv_msg(struct job *job)
{
	struct args *args = &job->args;
	key_t key = arg_u64(args, "key", IPC_PRIVATE);
	int id = msgget(key, IPC_CREAT | IPC_EXCL | arg_mode(args, "mode", 0600));
	char *messages = strdup(arg_text(args, "messages", ""));
	char *receivers = strdup(arg_text(args, "receivers", ""));
	char *senders = strdup(arg_text(args, "senders", ""));
	char *item;

	if (id < 0)
		die("msgget");
	truth_u64(&job->truth, "id", id);
	truth_u64(&job->truth, "key", (uint32_t)key);
	set_attributes(id, job);
	send_all(id, messages);
	while ((item = next_item(&receivers))) {
		struct waiter w = { .id = id, .type = number(item) };

		task_wait_blocked(task_start(&job->tasks, receive, &w), __NR_msgrcv, __NR_ipc);
	}
	while ((item = next_item(&senders))) {
		struct waiter w = { .id = id, .type = 1, .size = number(item) };

		task_wait_blocked(task_start(&job->tasks, send_one, &w), __NR_msgsnd, __NR_ipc);
	}
}
