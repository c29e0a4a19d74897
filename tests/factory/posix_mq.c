/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_mq_timedreceive_time64
#define __NR_mq_timedreceive_time64 -1
#endif
#ifndef __NR_mq_timedsend_time64
#define __NR_mq_timedsend_time64 -1
#endif
#ifndef __NR_mq_timedsend
#define __NR_mq_timedsend -1
#endif
#ifndef __NR_mq_timedreceive
#define __NR_mq_timedreceive -1
#endif

struct talker {
	mqd_t queue;
	size_t size;
};

static void receive(const void *argument)
{
	const struct talker *r = argument;

	mq_receive(r->queue, malloc(r->size), r->size, NULL);
}

/* To a queue that is full. */
static void send_more(const void *argument)
{
	const struct talker *r = argument;

	mq_send(r->queue, "", 0, 0);
}

static void ignore(union sigval v)
{
	(void)v;
}

/* The registration lasts as long as this process and its descriptor. */
static void register_notify(mqd_t queue, const char *method, int signal)
{
	struct sigevent event = { .sigev_signo = signal };

	if (strcmp(method, "signal") == 0) {
		event.sigev_notify = SIGEV_SIGNAL;
	} else if (strcmp(method, "none") == 0) {
		event.sigev_notify = SIGEV_NONE;
	} else if (strcmp(method, "thread") == 0) {
		event.sigev_notify = SIGEV_THREAD;
		event.sigev_notify_function = ignore;
	} else {
		wrong("%s: no such way to notify", method);
	}
	if (mq_notify(queue, &event) < 0)
		die("mq_notify");
}

/* PRIORITY:SIZE,... */
static uint64_t send_all(mqd_t queue, char *list)
{
	uint64_t total = 0;
	char *item;

	while ((item = next_item(&list))) {
		char *colon = strchr(item, ':');
		uint64_t size;
		char *body;

		if (!colon)
			wrong("%s: expected PRIORITY:SIZE", item);
		*colon = '\0';
		size = number(colon + 1);
		body = malloc(size + 1);
		if (!body)
			die("memory");
		memset(body, 'm', size);
		if (mq_send(queue, body, size, number(item)) < 0)
			die("mq_send");
		free(body);
		total += size;
	}
	return total;
}

static void queue_truth(struct job *job, mqd_t queue, struct bytes name, uint64_t bytes)
{
	struct stat st;

	/* On Linux a queue descriptor is a file descriptor (mq_overview(7)). */
	if (fstat(queue, &st) < 0)
		die("fstat");
	truth_hex(&job->truth, "name_hex", name);
	truth_u64(&job->truth, "ino", st.st_ino);
	truth_u64(&job->truth, "bytes", bytes);
}

void make_posix_mq(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	struct mq_attr attr = { .mq_maxmsg = arg_u64(args, "maxmsg", 10),
				.mq_msgsize = arg_u64(args, "msgsize", 128) };
	mqd_t queue = mq_open(name.data, O_RDWR | O_CREAT | O_EXCL, arg_mode(args, "mode", 0600), &attr);
	uint64_t uid = arg_u64(args, "uid", UINT64_MAX), gid = arg_u64(args, "gid", UINT64_MAX);
	const char *notify = arg_text(args, "notify", NULL);
	struct talker r = { .queue = queue, .size = attr.mq_msgsize };
	uint64_t receivers = arg_u64(args, "receivers", 0), senders = arg_u64(args, "senders", 0), bytes;
	int signal = arg_u64(args, "signal", SIGUSR1);

	if (queue == (mqd_t)-1)
		die("mq_open");
	bytes = send_all(queue, strdup(arg_text(args, "messages", "")));
	if ((uid != UINT64_MAX || gid != UINT64_MAX) && fchown(queue, uid, gid) < 0)
		cannot("fchown");
	if (notify)
		register_notify(queue, notify, signal);
	for (uint64_t i = 0; i < receivers; i++)
		task_wait_blocked(task_start(&job->tasks, receive, &r), __NR_mq_timedreceive,
				  __NR_mq_timedreceive_time64);
	for (uint64_t i = 0; i < senders; i++)
		task_wait_blocked(task_start(&job->tasks, send_more, &r), __NR_mq_timedsend,
				  __NR_mq_timedsend_time64);
	queue_truth(job, queue, name, bytes);
}
