/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>

/* The caller must define it (semctl(2)). */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

/* One task to block: semop of op on a semaphore. */
struct blocker {
	int id;
	unsigned short index;
	short op;
};

static void block(const void *argument)
{
	const struct blocker *b = argument;
	struct sembuf op = { .sem_num = b->index, .sem_op = b->op };

	semop(b->id, &op, 1);
}

static uint64_t blocked(const void *argument)
{
	const struct blocker *b = argument;
	int n = semctl(b->id, b->index, b->op == 0 ? GETZCNT : GETNCNT);

	if (n < 0)
		die("semctl GETNCNT");
	return n;
}

static void set_owner(int id, struct job *job)
{
	uint64_t uid = arg_u64(&job->args, "uid", UINT64_MAX), gid = arg_u64(&job->args, "gid", UINT64_MAX);
	struct semid_ds ds;

	if (uid == UINT64_MAX && gid == UINT64_MAX)
		return;
	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0)
		die("semctl IPC_STAT");
	if (uid != UINT64_MAX)
		ds.sem_perm.uid = uid;
	if (gid != UINT64_MAX)
		ds.sem_perm.gid = gid;
	if (semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) < 0)
		cannot("semctl IPC_SET");
}

static void set_values(int id, uint64_t nsems, char *list)
{
	unsigned short *values = calloc(nsems ? nsems : 1, sizeof(*values));
	char *item;

	if (!values)
		die("memory");
	for (uint64_t i = 0; (item = next_item(&list)); i++) {
		if (i >= nsems)
			wrong("more values than semaphores");
		values[i] = number(item);
	}
	if (semctl(id, 0, SETALL, (union semun){ .array = values }) < 0)
		die("semctl SETALL");
	free(values);
}

/* INDEX:OP,... : a blocked task each, in this order of arrival. */
static void block_tasks(struct job *job, int id, char *list)
{
	char *item;

	while ((item = next_item(&list))) {
		char *colon = strchr(item, ':');
		struct blocker b = { .id = id };
		uint64_t before;

		if (!colon)
			wrong("%s: expected INDEX:OP", item);
		*colon = '\0';
		b.index = number(item);
		b.op = number(colon + 1);
		before = blocked(&b);
		task_start(&job->tasks, block, &b);
		wait_until(blocked, &b, before + 1, "blocked tasks");
	}
}

void make_sysv_sem(struct job *job)
{
	struct args *args = &job->args;
	key_t key = arg_u64(args, "key", IPC_PRIVATE);
	uint64_t nsems = arg_u64(args, "nsems", 1);
	int id = semget(key, nsems, IPC_CREAT | IPC_EXCL | arg_mode(args, "mode", 0600));
	const char *values = arg_text(args, "values", NULL), *blockers = arg_text(args, "block", NULL);

	if (id < 0)
		die("semget");
	truth_u64(&job->truth, "id", id);
	truth_u64(&job->truth, "key", (uint32_t)key);
	truth_u64(&job->truth, "nsems", nsems);
	if (values)
		set_values(id, nsems, strdup(values));
	if (blockers)
		block_tasks(job, id, strdup(blockers));
	set_owner(id, job);
}
