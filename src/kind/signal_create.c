/* SPDX-License-Identifier: MIT */
#include "kind/signal_create.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "kind/common.h"
#include "lib/file.h"
#include "lib/parse.h"
#include "lib/signals.h"
#include "scan/pids.h"

/* What is to be sent, and to whom. */
struct message {
	struct scan_context context;
	uint32_t pid;
	uint64_t ticks; /* when that process was started */
	int number;
	siginfo_t *info; /* NULL: none but what the kernel says of the sender */
};

static int parse_arguments(const struct create_args *args, struct message *m, struct report *report)
{
	uint64_t pid;
	int r;

	if (parse_u64_in(span_of(args->name), 1, INT32_MAX, &pid) < 0)
		return report_usage(report, "'%s' is not the number of a process", args->name);
	m->pid = (uint32_t)pid;
	if (!args->signal)
		return report_usage(report, "--signal is needed: a name or number, such as USR1 or 10");
	r = parse_signal(span_of(args->signal), &m->number);
	if (r == -ERANGE)
		return report_usage(report, "--signal '%s': no signal has that number", args->signal);
	if (r < 0)
		return report_usage(report,
				    "--signal '%s' is no signal; expected such as USR1, RTMIN+1 or 10",
				    args->signal);
	if (args->sigval.set && (args->sigval.value < INT32_MIN || args->sigval.value > INT32_MAX))
		return report_usage(report, "--value: a signal carries -2147483648 to 2147483647");
	return 0;
}

/* Whether the number still means the process that it meant when we began. */
static int compare(const struct message *m)
{
	uint64_t ticks;
	int r = pid_start_ticks(&m->context, m->pid, &ticks);

	return r < 0 ? r : ticks == m->ticks ? 0 : -ESRCH;
}

/* Before Linux 5.3 nothing but the number says who is meant. */
static int send_by_number(const struct message *m)
{
	int r = compare(m);

	if (r < 0)
		return r;
	if (m->info)
		r = (int)syscall(SYS_rt_sigqueueinfo, (pid_t)m->pid, m->number, m->info);
	else
		r = kill((pid_t)m->pid, m->number);
	return r < 0 ? -errno : 0;
}

static int send_message(const struct message *m)
{
	_cleanup_(close_fd) int fd = (int)syscall(SYS_pidfd_open, (pid_t)m->pid, 0);
	int r;

	if (fd < 0 && errno == ENOSYS)
		return send_by_number(m);
	if (fd < 0)
		return -errno;
	/* If it is the same now, it was when the descriptor was opened. */
	r = compare(m);
	if (r < 0)
		return r;
	return syscall(SYS_pidfd_send_signal, fd, m->number, m->info, 0) < 0 ? -errno : 0;
}

/* What /proc does not show: it may be there all the same (hidepid). */
static int missing(const struct message *m, struct report *report)
{
	if (kill((pid_t)m->pid, 0) < 0)
		return -errno;
	report_text(report, "/proc does not show it, so that it cannot be told from another that is given "
			    "its number");
	return -EACCES;
}

/* Finds out who is meant. 0 with *uid, its real user. */
static int identify(struct message *m, uint32_t *uid, struct report *report)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct signal_status status;
	char path[24];
	int r = scan_context_open(&m->context, NULL);

	if (r == 0 && !m->context.own_pids)
		r = -ENOTSUP;
	if (r < 0) {
		report_text(report, "which process that is takes a /proc of this PID namespace");
		return r;
	}
	r = pid_start_ticks(&m->context, m->pid, &m->ticks);
	snprintf(path, sizeof(path), "%u/status", m->pid);
	if (r == 0)
		r = read_file_at(m->context.proc, path, &text);
	if (r == -ENOENT)
		return missing(m, report);
	if (r == 0)
		r = signal_status_parse(buf_span(&text), &status);
	if (r != 0)
		return r;
	if (status.leader != m->pid) {
		report_text(report, "that is a thread of process %u", status.leader);
		return -EINVAL;
	}
	*uid = status.real_uid;
	return 0;
}

/* Why the kernel refused to send it. */
static void explain(int error, uint32_t uid, struct report *report)
{
	if (error == -EPERM)
		report_owner(report, uid, "; it takes the same user, or CAP_KILL");
	else if (error == -EAGAIN)
		report_text(report, "as many signals are queued to its user's processes as may be, "
				    "RLIMIT_SIGPENDING");
}

int signal_create(const struct create_args *args, struct report *report)
{
	struct message m = { .context.proc = -1 };
	siginfo_t info = { 0 };
	uint32_t uid = 0;
	int r = parse_arguments(args, &m, report);

	if (r < 0)
		return r;
	if (args->sigval.set) {
		info.si_signo = m.number;
		info.si_code = SI_QUEUE;
		info.si_pid = getpid();
		info.si_uid = getuid();
		info.si_value.sival_int = (int)args->sigval.value;
		m.info = &info;
	}
	r = report_ref(report, "signal:%u", m.pid);
	if (r == 0)
		r = identify(&m, &uid, report);
	if (r == 0) {
		r = send_message(&m);
		explain(r, uid, report);
	}
	scan_context_close(&m.context);
	return r;
}

const struct opt signal_create_opts[SIGNAL_CREATE_NOPTS] = {
	{ .name = "signal",
	  .type = OPT_STRING,
	  .arg = "SIGNAL",
	  .offset = offsetof(struct create_args, signal),
	  .complete = COMPLETE_SIGNAL,
	  .help = "which: a name such as USR1 or RTMIN+1, or a number (needed)" },
	{ .name = "value",
	  .type = OPT_I64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, sigval),
	  .help = "give it this value, as sigqueue(3) does" },
};
