/* SPDX-License-Identifier: MIT */
/*
 * What every task (thread) of every process is blocked in, from /proc/PID/task/TID/syscall
 * (proc(5)). Tasks that run, or wait for nothing that has to do with IPC, are left out.
 *
 * Nobody is stopped or woken; but a task that is stopped (SIGSTOP, ptrace(2)) shows the call
 * that it will go on with, like one that sleeps: task_state() tells.
 */
#pragma once

#include "lib/parallel.h"
#include "scan/context.h"

/* What a task waits for, by its system call. */
enum task_wait {
	WAIT_NOTHING, /* that matters here */
	WAIT_UNKNOWN, /* for something, and what cannot be told */
	WAIT_SEMOP,   /* semop(2), semtimedop(2) */
	WAIT_MSGSND,
	WAIT_MSGRCV,
	WAIT_MQ_SEND,	 /* mq_timedsend(2) */
	WAIT_MQ_RECEIVE, /* mq_timedreceive(2) */
	WAIT_FUTEX,	 /* futex(2), whatever its operation */
	WAIT_FUTEX_WAIT, /* futex_wait of Linux 6.7 */
	WAIT_FUTEX_WAITV,
	WAIT_FLOCK,
	WAIT_FCNTL, /* F_SETLKW and F_OFD_SETLKW */
	WAIT_OPEN,  /* open(2), openat(2), openat2(2), creat(2), open_by_handle_at(2) */
	WAIT_READ,  /* read(2) and its sisters; from here on: what descriptors lead to */
	WAIT_WRITE,
	WAIT_RECEIVE, /* recvfrom(2), recvmsg(2), recvmmsg(2) */
	WAIT_SEND,
	WAIT_ACCEPT,
	WAIT_CONNECT,
	WAIT_POLL,   /* poll(2), ppoll(2) */
	WAIT_SELECT, /* select(2), pselect(2) */
	WAIT_EPOLL,
};

enum task_flag {
	/*
	 * The call is one of another word size than ours (a 32-bit program's, or a 64-bit one's
	 * for a 32-bit ipcctl): number and arguments mean something else here. `wait` is what
	 * the kernel's sleep function hints at.
	 */
	TASK_FOREIGN = 1 << 0,
	/* The call was restarted: `number` is that of restart_syscall(2), the arguments are those
	 * of the first call, and `wait` is what the sleep function hints at. */
	TASK_RESTARTED = 1 << 1,
};

struct task {
	uint32_t pid, tid; /* process and thread, as /proc shows them */
	uint8_t wait;	   /* of enum task_wait; never WAIT_NOTHING in a list */
	uint8_t flags;	   /* of enum task_flag */
	uint32_t number;   /* of the call */
	uint64_t args[6];
};

struct tasks {
	struct task *items; /* in the order of pids, then tids */
	size_t count;
	uint64_t seen;	     /* tasks that were looked at */
	uint64_t unreadable; /* that refused to tell */
	uint64_t foreign;    /* among the items: TASK_FOREIGN */
	uint64_t restarted;  /* among the items: TASK_RESTARTED */
	int hidden;	     /* of pids_may_hide(): not 0 if there may be tasks that /proc does not show */
	bool looked;	     /* /proc is that of this PID namespace: they were asked */
	bool complete;	     /* and every one in sight answered; what it said may still be WAIT_UNKNOWN */
};

/* A line of /proc/PID/task/TID/syscall. */
struct syscall_line {
	uint32_t number;
	uint64_t args[6];
	uint64_t sp, pc; /* stack pointer and program counter */
};

/* 1, 0: the task runs, or is blocked outside of any call (in a page fault, say), or -EINVAL. */
int syscall_line_parse(struct span line, struct syscall_line *out) _must_check_;
/* What a call of this machine waits for; restart_syscall(2) is WAIT_UNKNOWN. Arguments of ipc(2) and
 * socketcall(2): see scan/multiplex.h. */
enum task_wait wait_of_call(uint32_t number, uint64_t args[static 6]);
/* The call as the manual names it: "read", "semop". */
const char *task_wait_name(enum task_wait wait);
/* What the kernel function that a task sleeps in (/proc/PID/task/TID/wchan) hints at. The names
 * change from kernel to kernel: WAIT_UNKNOWN for one that is not known here, and for "0". */
enum task_wait wait_of_wchan(struct span wchan);

/*
 * Asks every task, with at most so many threads (0: one a processor). Those that end meanwhile
 * are no news, and those without memory (zombies, the kernel's own) wait for nothing of ours.
 * 0, or -ENOMEM and the like.
 */
int tasks_read(struct tasks *t, const struct scan_context *context, unsigned threads) _must_check_;
/* The parts of that, for who has other work for the same threads: the processes are listed, then all of the
 * work is run, then it is told what was found (0, or -ENOMEM and the like). tasks_begin() returns NULL if
 * there is no memory. */
struct asking;
struct asking *tasks_begin(const struct scan_context *context) _must_check_;
const struct parallel_work *tasks_work(const struct asking *asking);
int tasks_end(struct tasks *t, const struct asking *asking) _must_check_;
void asking_free(struct asking *asking);
/* Whether the call ends by itself after some time: it was given one, or that cannot be told. */
bool task_wait_is_timed(const struct task *task);
/* How often that thread has been given a processor (/proc/PID/task/TID/schedstat): as long as the
 * number stays the same, it sleeps in the same call. 0, or -errno; -ENOENT: the kernel does not
 * count that, or the thread has ended. */
int task_runs(const struct scan_context *context, uint32_t pid, uint32_t tid, uint64_t *runs) _must_check_;
/* How many threads a process has now, by the links of its folder of tasks (proc_task_getattr() in
 * fs/proc/base.c), which costs less than any file that tells it. Or -errno. */
int64_t task_count(const struct scan_context *context, uint32_t pid) _must_check_;
/* The task among those that wait, or NULL. */
const struct task *tasks_find(const struct tasks *t, uint32_t pid, uint32_t tid);
/* R S D Z T t ... of one, as it is now. 0, or -errno; -ENOENT: it has ended. */
int task_state(const struct scan_context *context, uint32_t pid, uint32_t tid, char *state) _must_check_;
void tasks_free(struct tasks *t);
