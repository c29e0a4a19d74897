/* SPDX-License-Identifier: MIT */
#include "scan/sysvwait.h"

#include <sys/sem.h>

#include "scan/multiplex.h"

/* Operations of one semop(2) that are told. */
#define MOST_OPERATIONS 32

/*
 * Who changed the semaphore last that stops an array of operations: the first that cannot be done
 * now. 0: none stops it any more, or it cannot be told.
 */
static uint32_t last_changer(int id, const struct sembuf *operations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int value = semctl(id, operations[i].sem_num, GETVAL);
		bool passes = operations[i].sem_op == 0 ? value == 0 : value + operations[i].sem_op >= 0;
		int pid;

		if (value < 0)
			return 0;
		if (passes)
			continue;
		pid = semctl(id, operations[i].sem_num, GETPID);
		return pid > 0 ? (uint32_t)pid : 0;
	}
	return 0;
}

/* "semaphore 3: -1", "semaphores 3: -1, 4: 0"; and, of a set in our IPC namespace, who changed the one
 * last that it waits for. */
static int tell_operations(const struct scan_context *context, const struct task *task, struct memory *memory,
			   bool here, struct buf *text, uint32_t *blocker)
{
	struct sembuf operations[MOST_OPERATIONS];
	uint64_t count = task->args[2];
	size_t n = count < MOST_OPERATIONS ? (size_t)count : MOST_OPERATIONS;
	int r;

	if (memory->pagemap < 0)
		memory_open(memory, context->proc, task->tid);
	r = memory_read_from(memory, task->args[1], operations, n * sizeof(operations[0]));
	/* The thread that showed the memory first may have ended. */
	if (r < 0 && memory->tid != task->tid)
		r = memory_read(context->proc, task->tid, task->args[1], operations,
				n * sizeof(operations[0]));

	for (size_t i = 0; r == 0 && i < n; i++)
		buf_printf(text, "%s%u: %d",
			   i	     ? ", " :
			   count > 1 ? "semaphores " :
				       "semaphore ",
			   operations[i].sem_num, operations[i].sem_op);
	if (r == 0 && count > n)
		buf_puts(text, ", ...");
	if (r == 0 && here)
		*blocker = last_changer((int)task->args[0], operations, n);
	return r;
}

void sysv_wait_tell(const struct scan_context *context, const struct task *task, struct memory *memory,
		    bool here, struct buf *text, uint32_t *blocker)
{
	int64_t type;

	switch (task->wait) {
	case WAIT_SEMOP:
		if (tell_operations(context, task, memory, here, text, blocker) < 0)
			buf_reset(text);
		break;
	case WAIT_MSGRCV:
		if (task_message_type(context, task, &type) == 0 && type != 0)
			buf_printf(text, "type %lld", (long long)type);
		break;
	case WAIT_MSGSND:
		buf_printf(text, "%llu bytes", (unsigned long long)task->args[2]);
		break;
	default:
		break;
	}
}
