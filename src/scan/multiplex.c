/* SPDX-License-Identifier: MIT */
#include "scan/multiplex.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "lib/file.h"
#include "scan/memory.h"

/* No task is in a call that this machine does not have. */
#ifndef SYS_ipc
#define SYS_ipc UINT32_MAX
#endif
#ifndef SYS_socketcall
#define SYS_socketcall UINT32_MAX
#endif

/* The low half of the first argument, as linux/ipc.h has it; the upper one is the version. */
enum { CALL_SEMOP = 1, CALL_SEMTIMEDOP = 4, CALL_MSGSND = 11, CALL_MSGRCV = 12 };

enum task_wait wait_of_ipc(uint64_t args[static 6])
{
	const uint64_t call = args[0], first = args[1], second = args[2], third = args[3], pointer = args[4];
#ifdef __s390__
	const uint64_t timeout = third;
#else
	const uint64_t timeout = args[5];
#endif

	args[0] = first;
	args[1] = pointer;
	args[2] = second;
	switch (call & 0xffff) {
	case CALL_SEMOP:
	case CALL_SEMTIMEDOP:
		args[3] = (call & 0xffff) == CALL_SEMOP ? 0 : timeout;
		return WAIT_SEMOP;
	case CALL_MSGSND:
		args[3] = third;
		return WAIT_MSGSND;
	case CALL_MSGRCV:
		/* In the old version the pointer leads to the buffer's and to the type: see
		 * task_message_type(). */
		args[3] = call >> 16 ? args[5] : 0;
		args[4] = third;
		args[5] = call >> 16 ? 0 : pointer;
		return WAIT_MSGRCV;
	default:
		return WAIT_NOTHING;
	}
}

enum task_wait wait_of_socketcall(const uint64_t args[static 6])
{
	/* linux/net.h */
	enum {
		CONNECT = 3,
		ACCEPT = 5,
		SEND = 9,
		RECV,
		SENDTO,
		RECVFROM,
		SENDMSG = 16,
		RECVMSG,
		ACCEPT4,
		RECVMMSG,
		SENDMMSG
	};

	switch (args[0]) {
	case CONNECT:
		return WAIT_CONNECT;
	case ACCEPT:
	case ACCEPT4:
		return WAIT_ACCEPT;
	case SEND:
	case SENDTO:
	case SENDMSG:
	case SENDMMSG:
		return WAIT_SEND;
	case RECV:
	case RECVFROM:
	case RECVMSG:
	case RECVMMSG:
		return WAIT_RECEIVE;
	default:
		return WAIT_NOTHING;
	}
}

/* Whether the task is in that call still, so that what was read of its memory belongs to it. */
static bool waits_still(const struct scan_context *context, const struct task *task)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct syscall_line line;
	char path[48];

	snprintf(path, sizeof(path), "%u/task/%u/syscall", task->pid, task->tid);
	if (read_file_at(context->proc, path, &text) < 0 || syscall_line_parse(buf_span(&text), &line) <= 0)
		return false;
	return line.number == task->number && wait_of_call(line.number, line.args) == task->wait &&
	       memcmp(line.args, task->args, sizeof(line.args)) == 0;
}

/* A word of a task's memory that belongs to its call. 0 or -errno. */
static int read_word(const struct scan_context *context, const struct task *task, uint64_t address,
		     long *word)
{
	int r = memory_read(context->proc, task->tid, address, word, sizeof(*word));

	return r == 0 && !waits_still(context, task) ? -ESRCH : r;
}

int task_descriptor(const struct scan_context *context, const struct task *task)
{
	long word = (long)task->args[0];
	int r = 0;

	if (task->number == SYS_socketcall)
		r = read_word(context, task, task->args[1], &word);
	return r < 0 ? r : (int)word;
}

int task_message_type(const struct scan_context *context, const struct task *task, int64_t *type)
{
	long word = (long)task->args[3];
	int r = 0;

	if (task->number == SYS_ipc && task->args[5])
		r = read_word(context, task, task->args[5] + sizeof(long), &word);
	*type = word;
	return r;
}
