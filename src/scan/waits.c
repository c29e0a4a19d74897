/* SPDX-License-Identifier: MIT */
/* What a blocked task waits for: its system call, or the function of the kernel it sleeps in. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "lib/parse.h"
#include "scan/multiplex.h"

int syscall_line_parse(struct span line, struct syscall_line *out)
{
	struct span word, rest = line;
	uint64_t number;

	/* "running", "-1 0x7ffc... 0x7f...", or "202 0x7f... (6 arguments) SP PC". */
	while (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
		rest.len--;
	if (!next_word(&rest, &word))
		return -EINVAL;
	if (span_is(word, "running") || span_is(word, "-1"))
		return 0;
	if (parse_u64_in(word, 0, UINT32_MAX, &number) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(out->args); i++)
		if (!next_word(&rest, &word) || parse_u64(word, &out->args[i]) < 0)
			return -EINVAL;
	if (!next_word(&rest, &word) || parse_u64(word, &out->sp) < 0)
		return -EINVAL;
	if (!next_word(&rest, &word) || parse_u64(word, &out->pc) < 0)
		return -EINVAL;
	out->number = (uint32_t)number;
	/* A thread of the kernel that works for the process (io_uring) was never in user mode. */
	return out->sp == 0 && out->pc == 0 ? 0 : 1;
}

/* Which calls there are differs from machine to machine, and with the age of the headers. The
 * _time64 ones exist where time_t had 32 bits. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_futex_wait
#define SYS_futex_wait 455
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static enum task_wait wait_of_lock(uint64_t command)
{
	switch (command) {
	case F_SETLKW:
#if F_SETLKW != 7
	case 7: /* the call's own F_SETLKW, where the libc uses that of fcntl64 */
#endif
#if F_SETLKW != 14
	case 14: /* F_SETLKW64 */
#endif
	case F_OFD_SETLKW:
		return WAIT_FCNTL;
	default:
		return WAIT_NOTHING;
	}
}

static enum task_wait wait_of_file_call(uint32_t number)
{
	switch (number) {
#ifdef SYS_open
	case SYS_open:
#endif
#ifdef SYS_creat
	case SYS_creat:
#endif
	case SYS_openat:
	case SYS_openat2:
	case SYS_open_by_handle_at:
		return WAIT_OPEN;
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_preadv:
	case SYS_preadv2:
		return WAIT_READ;
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
		return WAIT_WRITE;
	case SYS_flock:
		return WAIT_FLOCK;
	default:
		return WAIT_NOTHING;
	}
}

static enum task_wait wait_of_socket_call(uint32_t number)
{
	switch (number) {
#ifdef SYS_recv
	case SYS_recv:
#endif
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
#ifdef SYS_recvmmsg_time64
	case SYS_recvmmsg_time64:
#endif
		return WAIT_RECEIVE;
#ifdef SYS_send
	case SYS_send:
#endif
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
		return WAIT_SEND;
#ifdef SYS_accept
	case SYS_accept:
#endif
	case SYS_accept4:
		return WAIT_ACCEPT;
	case SYS_connect:
		return WAIT_CONNECT;
	default:
		return WAIT_NOTHING;
	}
}

static enum task_wait wait_of_poll_call(uint32_t number)
{
	switch (number) {
#ifdef SYS_poll
	case SYS_poll:
#endif
#ifdef SYS_ppoll
	case SYS_ppoll:
#endif
#ifdef SYS_ppoll_time64
	case SYS_ppoll_time64:
#endif
		return WAIT_POLL;
#ifdef SYS_select
	case SYS_select:
#endif
#ifdef SYS__newselect
	case SYS__newselect:
#endif
#ifdef SYS_pselect6
	case SYS_pselect6:
#endif
#ifdef SYS_pselect6_time64
	case SYS_pselect6_time64:
#endif
		return WAIT_SELECT;
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return WAIT_EPOLL;
	default:
		return WAIT_NOTHING;
	}
}

static enum task_wait wait_of_sync_call(uint32_t number)
{
	switch (number) {
#ifdef SYS_futex
	case SYS_futex:
#endif
#ifdef SYS_futex_time64
	case SYS_futex_time64:
#endif
		return WAIT_FUTEX;
	case SYS_futex_wait:
		return WAIT_FUTEX_WAIT;
	case SYS_futex_waitv:
		return WAIT_FUTEX_WAITV;
#ifdef SYS_semop
	case SYS_semop:
#endif
#ifdef SYS_semtimedop
	case SYS_semtimedop:
#endif
#ifdef SYS_semtimedop_time64
	case SYS_semtimedop_time64:
#endif
		return WAIT_SEMOP;
	case SYS_msgsnd:
		return WAIT_MSGSND;
	case SYS_msgrcv:
		return WAIT_MSGRCV;
#ifdef SYS_mq_timedsend
	case SYS_mq_timedsend:
#endif
#ifdef SYS_mq_timedsend_time64
	case SYS_mq_timedsend_time64:
#endif
		return WAIT_MQ_SEND;
#ifdef SYS_mq_timedreceive
	case SYS_mq_timedreceive:
#endif
#ifdef SYS_mq_timedreceive_time64
	case SYS_mq_timedreceive_time64:
#endif
		return WAIT_MQ_RECEIVE;
	case SYS_restart_syscall:
		return WAIT_UNKNOWN;
	default:
		return WAIT_NOTHING;
	}
}

enum task_wait wait_of_call(uint32_t number, uint64_t args[static 6])
{
	static enum task_wait (*const groups[])(uint32_t) = { wait_of_sync_call, wait_of_file_call,
							      wait_of_socket_call, wait_of_poll_call };
	enum task_wait wait = WAIT_NOTHING;

#ifdef SYS_ipc
	if (number == SYS_ipc)
		return wait_of_ipc(args);
#endif
#ifdef SYS_socketcall
	if (number == SYS_socketcall)
		return wait_of_socketcall(args);
#endif
#ifdef SYS_fcntl64
	if (number == SYS_fcntl64)
		return wait_of_lock(args[1]);
#endif
	if (number == SYS_fcntl)
		return wait_of_lock(args[1]);
	for (size_t i = 0; wait == WAIT_NOTHING && i < ARRAY_SIZE(groups); i++)
		wait = groups[i](number);
	return wait;
}

enum task_wait wait_of_wchan(struct span wchan)
{
	static const struct {
		const char *prefix; /* the compiler may add ".isra.0" and the like */
		enum task_wait wait;
	} names[] = {
		{ "futex_", WAIT_FUTEX },
		{ "rt_mutex_", WAIT_FUTEX },
		{ "__rt_mutex_", WAIT_FUTEX },
		{ "wait_for_partner", WAIT_OPEN },
		{ "fifo_open", WAIT_OPEN },
		{ "do_semtimedop", WAIT_SEMOP },
		{ "__do_semtimedop", WAIT_SEMOP },
		{ "do_msgsnd", WAIT_MSGSND },
		{ "do_msgrcv", WAIT_MSGRCV },
		{ "wq_sleep", WAIT_MQ_RECEIVE },
		{ "locks_lock_inode_wait", WAIT_FLOCK },
		{ "flock_lock_inode_wait", WAIT_FLOCK },
		{ "fcntl_setlk", WAIT_FCNTL },
		{ "pipe_read", WAIT_READ },
		{ "anon_pipe_read", WAIT_READ },
		{ "fifo_pipe_read", WAIT_READ },
		{ "eventfd_read", WAIT_READ },
		{ "do_wait_intr_irq", WAIT_READ },
		{ "n_tty_read", WAIT_READ },
		{ "wait_woken", WAIT_READ },
		{ "pipe_write", WAIT_WRITE },
		{ "anon_pipe_write", WAIT_WRITE },
		{ "fifo_pipe_write", WAIT_WRITE },
		{ "unix_stream_read", WAIT_RECEIVE },
		{ "unix_stream_data_wait", WAIT_RECEIVE },
		{ "__skb_wait_for_more_packets", WAIT_RECEIVE },
		{ "sk_wait_data", WAIT_RECEIVE },
		{ "unix_wait_for_peer", WAIT_SEND },
		{ "sock_alloc_send_pskb", WAIT_SEND },
		{ "sk_stream_wait_memory", WAIT_SEND },
		{ "inet_csk_accept", WAIT_ACCEPT },
		{ "poll_schedule_timeout", WAIT_POLL },
		{ "do_poll", WAIT_POLL },
		{ "do_sys_poll", WAIT_POLL },
		{ "do_select", WAIT_SELECT },
		{ "do_epoll_wait", WAIT_EPOLL },
		{ "ep_poll", WAIT_EPOLL },
		{ "hrtimer_nanosleep", WAIT_NOTHING },
		{ "do_nanosleep", WAIT_NOTHING },
		{ "common_nsleep", WAIT_NOTHING },
		{ "sigsuspend", WAIT_NOTHING },
		{ "do_sigtimedwait", WAIT_NOTHING },
		{ "do_wait", WAIT_NOTHING },
		{ "kernel_wait4", WAIT_NOTHING },
		{ "__do_sys_pause", WAIT_NOTHING },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_starts(wchan, names[i].prefix))
			return names[i].wait;
	return WAIT_UNKNOWN;
}

bool task_wait_is_timed(const struct task *task)
{
	/* The words of another size are not understood; a sleep that goes on after a signal is one
	 * for a time. */
	if (task->flags)
		return true;
	switch (task->wait) {
	case WAIT_FUTEX:
	case WAIT_SEMOP:
		return task->args[3] != 0;
	case WAIT_MQ_SEND:
	case WAIT_MQ_RECEIVE:
	case WAIT_FUTEX_WAIT:
		return task->args[4] != 0;
	case WAIT_FUTEX_WAITV:
		return task->args[3] != 0;
	case WAIT_MSGSND:
	case WAIT_MSGRCV:
	case WAIT_FLOCK:
	case WAIT_FCNTL:
	case WAIT_OPEN:
		return false;
	default: /* poll(2) and the like; sockets may have SO_RCVTIMEO */
		return true;
	}
}

const char *task_wait_name(enum task_wait wait)
{
	static const char *const names[] = {
		[WAIT_UNKNOWN] = "unknown",
		[WAIT_SEMOP] = "semop",
		[WAIT_MSGSND] = "msgsnd",
		[WAIT_MSGRCV] = "msgrcv",
		[WAIT_MQ_SEND] = "mq_send",
		[WAIT_MQ_RECEIVE] = "mq_receive",
		[WAIT_FUTEX] = "futex",
		[WAIT_FUTEX_WAIT] = "futex_wait",
		[WAIT_FUTEX_WAITV] = "futex_waitv",
		[WAIT_FLOCK] = "flock",
		[WAIT_FCNTL] = "fcntl",
		[WAIT_OPEN] = "open",
		[WAIT_READ] = "read",
		[WAIT_WRITE] = "write",
		[WAIT_RECEIVE] = "recv",
		[WAIT_SEND] = "send",
		[WAIT_ACCEPT] = "accept",
		[WAIT_CONNECT] = "connect",
		[WAIT_POLL] = "poll",
		[WAIT_SELECT] = "select",
		[WAIT_EPOLL] = "epoll_wait",
	};

	return wait < ARRAY_SIZE(names) && names[wait] ? names[wait] : "unknown";
}
