/* SPDX-License-Identifier: MIT */
#include "kind/signal_queue.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "kind/common.h"
#include "kind/signal_pending.h"
#include "scan/sigqueue.h"

enum {
	QUEUED_SIGNAL,
	QUEUED_NUMBER,
	QUEUED_TID,
	QUEUED_CODE,
	QUEUED_SENDER_PID,
	QUEUED_SENDER_COMMAND,
	QUEUED_SENDER,
	QUEUED_SENDER_UID,
	QUEUED_VALUE,
	QUEUED_POINTER,
	QUEUED_TIMER,
	QUEUED_FD,
};

static const struct field fields[] = {
	[QUEUED_SIGNAL] = { .name = "signal", .type = FIELD_STR, .help = "its name" },
	[QUEUED_NUMBER] = { .name = "number", .type = FIELD_U64, .help = "its number" },
	[QUEUED_TID] = { .name = "tid",
			 .type = FIELD_PID,
			 .help = "thread that it is for; absent: any thread of the process may take it" },
	[QUEUED_CODE] = { .name = "code",
			  .type = FIELD_STR,
			  .help = "how it was sent: SI_USER, SI_QUEUE, SI_TIMER, ...; or the number" },
	[QUEUED_SENDER_PID] = { .name = "sender_pid",
				.type = FIELD_PID,
				.help = "process that sent it, as it is numbered for the receiver" },
	[QUEUED_SENDER_COMMAND] = { .name = "sender_command",
				    .type = FIELD_STR,
				    .flags = FIELD_SHRINK,
				    .help = "command of the process that has that number now" },
	[QUEUED_SENDER] = { .name = "sender",
			    .type = FIELD_STR,
			    .flags = FIELD_SHRINK,
			    .help = "name of the user who sent it" },
	[QUEUED_SENDER_UID] = { .name = "sender_uid", .type = FIELD_UID, .help = "number of that user" },
	[QUEUED_VALUE] = { .name = "value", .type = FIELD_I64, .help = "value that goes with it, as int" },
	[QUEUED_POINTER] = { .name = "pointer", .type = FIELD_STR, .help = "the same value, as a pointer" },
	[QUEUED_TIMER] = { .name = "timer",
			   .type = FIELD_I64,
			   .help = "timer that sent it, timer_create(2)" },
	[QUEUED_FD] = { .name = "fd", .type = FIELD_I64, .help = "descriptor that it is about, F_SETSIG" },
};

const struct schema signal_queue_schema = { "queue", fields, ARRAY_SIZE(fields) };

/* Which members of siginfo_t mean something (siginfo_layout() in kernel/signal.c). */
enum members { MEMBERS_NONE, MEMBERS_SENDER, MEMBERS_SENDER_VALUE, MEMBERS_TIMER, MEMBERS_POLL };

#define ANY_SIGNAL 0

static const struct {
	int number; /* of the signal that has this code alone */
	int code;
	const char *name;
	enum members members;
} codes[] = {
	{ ANY_SIGNAL, SI_USER, "SI_USER", MEMBERS_SENDER },
	{ ANY_SIGNAL, SI_QUEUE, "SI_QUEUE", MEMBERS_SENDER_VALUE },
	{ ANY_SIGNAL, SI_TIMER, "SI_TIMER", MEMBERS_TIMER },
	{ ANY_SIGNAL, SI_TKILL, "SI_TKILL", MEMBERS_SENDER },
	{ ANY_SIGNAL, SI_MESGQ, "SI_MESGQ", MEMBERS_SENDER_VALUE },
	{ ANY_SIGNAL, SI_ASYNCIO, "SI_ASYNCIO", MEMBERS_SENDER_VALUE },
	{ ANY_SIGNAL, SI_SIGIO, "SI_SIGIO", MEMBERS_POLL },
	{ ANY_SIGNAL, SI_KERNEL, "SI_KERNEL", MEMBERS_NONE },
	{ SIGCHLD, CLD_EXITED, "CLD_EXITED", MEMBERS_SENDER },
	{ SIGCHLD, CLD_KILLED, "CLD_KILLED", MEMBERS_SENDER },
	{ SIGCHLD, CLD_DUMPED, "CLD_DUMPED", MEMBERS_SENDER },
	{ SIGCHLD, CLD_TRAPPED, "CLD_TRAPPED", MEMBERS_SENDER },
	{ SIGCHLD, CLD_STOPPED, "CLD_STOPPED", MEMBERS_SENDER },
	{ SIGCHLD, CLD_CONTINUED, "CLD_CONTINUED", MEMBERS_SENDER },
	{ SIGIO, POLL_IN, "POLL_IN", MEMBERS_POLL },
	{ SIGIO, POLL_OUT, "POLL_OUT", MEMBERS_POLL },
	{ SIGIO, POLL_MSG, "POLL_MSG", MEMBERS_POLL },
	{ SIGIO, POLL_ERR, "POLL_ERR", MEMBERS_POLL },
	{ SIGIO, POLL_PRI, "POLL_PRI", MEMBERS_POLL },
	{ SIGIO, POLL_HUP, "POLL_HUP", MEMBERS_POLL },
};

/* Any real-time signal may stand for SIGIO (F_SETSIG of fcntl(2)). */
static bool has_code(const siginfo_t *info, size_t i)
{
	return codes[i].code == info->si_code &&
	       (codes[i].number == ANY_SIGNAL || codes[i].number == info->si_signo ||
		(codes[i].number == SIGIO && info->si_signo >= SIGRTMIN));
}

static enum members record_code(struct record *row, const siginfo_t *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (has_code(info, i)) {
			record_text(row, QUEUED_CODE, codes[i].name);
			return codes[i].members;
		}
	record_printf(row, QUEUED_CODE, "%d", info->si_code);
	/* Whoever sends one may choose the code, as long as it is negative. */
	return info->si_code < 0 ? MEMBERS_SENDER_VALUE : MEMBERS_NONE;
}

static void record_value(struct record *row, const siginfo_t *info)
{
	record_i64(row, QUEUED_VALUE, info->si_value.sival_int);
	record_printf(row, QUEUED_POINTER, "0x%llx", (unsigned long long)(uintptr_t)info->si_value.sival_ptr);
}

/* here: its numbers of processes are ours. One that it has no number for is 0. */
static void record_sender(struct projector *p, struct record *row, const siginfo_t *info, bool here)
{
	struct fieldset outer = p->want;

	p->want = schema_set(&signal_queue_schema, 0);
	if (here)
		record_pid(p, row, QUEUED_SENDER_PID, (uint32_t)info->si_pid, INT64_MAX);
	else if (info->si_pid != 0)
		record_u64(row, QUEUED_SENDER_PID, (uint32_t)info->si_pid);
	record_u64(row, QUEUED_SENDER_UID, info->si_uid);
	record_row_user(p, row, QUEUED_SENDER, info->si_uid);
	p->want = outer;
}

static int add_row(struct projector *p, struct record *r, struct list *list, const struct queued_signal *q,
		   bool here)
{
	const siginfo_t *info = &q->info;
	enum members members;
	struct record row;

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, QUEUED_NUMBER, (uint64_t)info->si_signo);
	if (info->si_signo >= 1 && info->si_signo <= 64)
		record_signals(&row, QUEUED_SIGNAL, SIGNAL_BIT(info->si_signo));
	if (q->tid)
		record_u64(&row, QUEUED_TID, q->tid);
	members = record_code(&row, info);
	if (members == MEMBERS_SENDER || members == MEMBERS_SENDER_VALUE)
		record_sender(p, &row, info, here);
	if (members == MEMBERS_SENDER_VALUE || members == MEMBERS_TIMER)
		record_value(&row, info);
	if (members == MEMBERS_TIMER)
		record_i64(&row, QUEUED_TIMER, info->si_timerid);
	if (members == MEMBERS_POLL)
		record_i64(&row, QUEUED_FD, info->si_fd);
	return 0;
}

/* Whether a process is in our PID namespace: there its senders have the numbers that we know. */
static bool is_here(const struct projector *p, const struct signal_process *process)
{
	char path[32], its[64], ours[64];
	ssize_t n, m;

	snprintf(path, sizeof(path), "%u/ns/pid", process->pid);
	n = readlinkat(p->snapshot->context->proc, path, its, sizeof(its));
	m = readlinkat(p->snapshot->context->proc, "self/ns/pid", ours, sizeof(ours));
	return n > 0 && n == m && memcmp(its, ours, (size_t)n) == 0;
}

static void record_failure(struct projector *p, struct record *r, size_t field, int error)
{
	if (error == -ENOTSUP)
		record_unknown_why(r, field,
				   p->snapshot->context->own_proc ? WHY_OTHER_PIDS : WHY_OTHER_SYSTEM);
	else if (error == -EBUSY)
		record_unknown_why(r, field, WHY_TRACED);
	else if (error == -ETIMEDOUT)
		record_unknown_why(r, field, WHY_NOT_STOPPED);
	else
		record_unknown(r, field, error);
}

static int project(struct projector *p, struct record *r, const struct signal_process *process,
		   const struct signal_queue *queue, size_t queue_field, size_t cut_field)
{
	struct list *list = record_list(r, queue_field);
	bool here = is_here(p, process);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < queue->count; i++)
		if (add_row(p, r, list, &queue->items[i], here) < 0)
			return -ENOMEM;
	record_bool(r, cut_field, queue->cut);
	return 0;
}

int signal_queue_project(struct projector *p, struct record *r, const struct signal_process *process,
			 size_t queue_field, size_t cut_field)
{
	struct signal_queue queue = { 0 };
	int e;

	if (!p->snapshot->depth.queue) {
		record_unknown_why(r, queue_field, WHY_NEEDS_QUEUE);
		record_unknown_why(r, cut_field, WHY_NEEDS_QUEUE);
		return 0;
	}
	e = signal_queue_read(&queue, p->snapshot->context, process);
	if (e == 0)
		e = project(p, r, process, &queue, queue_field, cut_field);
	else if (e == -ESRCH)
		e = PROJECT_SKIP;
	else if (e != -ENOMEM) {
		record_failure(p, r, queue_field, e);
		record_failure(p, r, cut_field, e);
		e = 0;
	}
	signal_queue_free(&queue);
	return e;
}
