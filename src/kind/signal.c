/* SPDX-License-Identifier: MIT */
/* Pending signals: signal(7). The object is a process, as far as signals are sent to it. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include "kind/held.h"
#include "kind/registry.h"
#include "kind/signal_create.h"
#include "kind/signal_pending.h"
#include "kind/signal_queue.h"
#include "kind/whereabouts.h"
#include "lib/file.h"
#include "lib/parse.h"

enum {
	SIG_KIND,
	SIG_REF,
	SIG_PID,
	SIG_COMMAND,
	SIG_OWNER,
	SIG_UID,
	SIG_REAL_UID,
	SIG_START,
	SIG_RUN_STATE,
	SIG_TRACER,
	SIG_PROCESS_PENDING,
	SIG_THREAD_PENDING,
	SIG_WHY,
	SIG_SIGNALS,
	SIG_BLOCKED,
	SIG_IGNORED,
	SIG_CAUGHT,
	SIG_NTHREADS,
	SIG_THREADS,
	SIG_QUEUE_USED,
	SIG_QUEUE_LIMIT,
	SIG_QUEUE,
	SIG_QUEUE_CUT,
};

enum { THREAD_TID, THREAD_COMMAND, THREAD_RUN_STATE, THREAD_PENDING, THREAD_BLOCKED };

static const char *const run_state_values[] = { "running", "sleeping", "uninterruptible", "stopped",
						"traced",  "idle",     "zombie",	  "dead",
						"parked",  NULL };

static const struct field thread_fields[] = {
	[THREAD_TID] = { .name = "tid", .type = FIELD_PID, .help = "the thread" },
	[THREAD_COMMAND] = { .name = "command",
			     .type = FIELD_STR,
			     .flags = FIELD_SHRINK,
			     .help = "its name" },
	[THREAD_RUN_STATE] = { .name = "run_state",
			       .type = FIELD_STR,
			       .values = run_state_values,
			       .help = "what it does" },
	[THREAD_PENDING] = { .name = "pending", .type = FIELD_STR, .help = "signals pending for it alone" },
	[THREAD_BLOCKED] = { .name = "blocked", .type = FIELD_STR, .help = "signals that it blocks" },
};

static const struct schema thread_schema = { "threads", thread_fields, ARRAY_SIZE(thread_fields) };

static const struct field fields[] = {
	[SIG_KIND] = COMMON_KIND("signal"),
	[SIG_REF] = COMMON_REF,
	[SIG_PID] = { .name = "pid", .type = FIELD_PID, .help = "the process" },
	[SIG_COMMAND] = { .name = "command",
			  .type = FIELD_STR,
			  .flags = FIELD_DEFAULT | FIELD_SHRINK,
			  .help = "its command" },
	[SIG_OWNER] = COMMON_OWNER,
	[SIG_UID] = COMMON_UID,
	[SIG_REAL_UID] = { .name = "real_uid",
			   .type = FIELD_UID,
			   .help = "number of its real user, whom its queue is counted for" },
	[SIG_START] = { .name = "start_time",
			.type = FIELD_TIME,
			.flags = FIELD_IDENTITY,
			.help = "when it was started" },
	[SIG_RUN_STATE] = { .name = "run_state",
			    .type = FIELD_STR,
			    .values = run_state_values,
			    .help = "what its main thread does" },
	[SIG_TRACER] = { .name = "tracer",
			 .type = FIELD_PID,
			 .help = "process that traces one of its threads (ptrace(2))" },
	[SIG_PROCESS_PENDING] = { .name = "process_pending",
				  .type = FIELD_STR,
				  .flags = FIELD_DEFAULT | FIELD_SHRINK,
				  .help = "signals pending for the process: any thread may take them" },
	[SIG_THREAD_PENDING] = { .name = "thread_pending",
				 .type = FIELD_STR,
				 .flags = FIELD_DEFAULT | FIELD_SHRINK,
				 .help = "signals pending for single threads of it" },
	[SIG_WHY] = { .name = "why",
		      .type = FIELD_STR,
		      .flags = FIELD_DEFAULT,
		      .help = "what keeps them from being delivered" },
	[SIG_SIGNALS] = { .name = "signals",
			  .type = FIELD_LIST,
			  .items = &signal_pending_schema,
			  .help = "each pending signal: for whom, and why it is" },
	[SIG_BLOCKED] = { .name = "blocked",
			  .type = FIELD_STR,
			  .flags = FIELD_SHRINK,
			  .help = "signals that its main thread blocks" },
	[SIG_IGNORED] = { .name = "ignored",
			  .type = FIELD_STR,
			  .flags = FIELD_SHRINK,
			  .help = "signals that it ignores" },
	[SIG_CAUGHT] = { .name = "caught",
			 .type = FIELD_STR,
			 .flags = FIELD_SHRINK,
			 .help = "signals that it has handlers for" },
	[SIG_NTHREADS] = { .name = "nthreads", .type = FIELD_U64, .help = "threads of it that live" },
	[SIG_THREADS] = { .name = "threads",
			  .type = FIELD_LIST,
			  .flags = FIELD_ON_DEMAND,
			  .items = &thread_schema,
			  .help = "each thread: what is pending for it, and what it blocks" },
	[SIG_QUEUE_USED] = { .name = "queue_used",
			     .type = FIELD_U64,
			     .flags = FIELD_GAUGE,
			     .help = "entries queued to all processes of its real user together, not to it "
				     "alone" },
	[SIG_QUEUE_LIMIT] = { .name = "queue_limit",
			      .type = FIELD_U64,
			      .help = "how many there may be before queuing one to it fails "
				      "(RLIMIT_SIGPENDING)" },
	[SIG_QUEUE] = { .name = "queue",
			.type = FIELD_LIST,
			.flags = FIELD_ON_DEMAND | FIELD_EXPLICIT | FIELD_STOPS,
			.items = &signal_queue_schema,
			.help = "each queued entry: who sent it, with which value (--queue)" },
	[SIG_QUEUE_CUT] = { .name = "queue_cut",
			    .type = FIELD_BOOL,
			    .flags = FIELD_ON_DEMAND | FIELD_EXPLICIT | FIELD_STOPS,
			    .help = "whether there are more entries than are shown (--queue)" },
	WHEREABOUTS,
};

static const struct schema schema = { "signal", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->signals.count;
}

static bool owns(const struct snapshot *s, size_t i)
{
	const struct signal_process *p = &s->signals.items[i];

	return p->leader == p->pid && signal_process_waits(p);
}

/* Letters of /proc/PID/status (task_state_array in fs/proc/array.c). */
static void record_run_state(struct record *r, size_t field, char letter)
{
	static const char letters[] = "RSDTtIZXP";
	const char *at = letter ? strchr(letters, letter) : NULL;

	if (at)
		record_text(r, field, run_state_values[at - letters]);
	else
		record_unknown(r, field, EBADMSG);
}

static int project_threads(const struct signal_process *process, struct record *r)
{
	struct list *list = record_list(r, SIG_THREADS);

	for (size_t i = 0; list && i < process->nthreads; i++) {
		const struct signal_thread *t = &process->threads[i];
		struct record row;

		if (list_append(r, list, &row) < 0)
			return -ENOMEM;
		record_u64(&row, THREAD_TID, t->tid);
		record_str(&row, THREAD_COMMAND, t->command);
		record_run_state(&row, THREAD_RUN_STATE, t->state);
		record_signals(&row, THREAD_PENDING, t->pending);
		if (!signal_thread_ended(t->state))
			record_signals(&row, THREAD_BLOCKED, t->blocked);
	}
	return list ? 0 : -ENOMEM;
}

static void project_masks(const struct signal_process *process, struct record *r)
{
	uint64_t living = 0;

	record_signals(r, SIG_PROCESS_PENDING, process->pending);
	record_signals(r, SIG_THREAD_PENDING, process->thread_pending);
	record_signals(r, SIG_IGNORED, process->ignored);
	record_signals(r, SIG_CAUGHT, process->caught);
	/* One that has ended blocks nothing, whatever it did before. */
	if (!signal_thread_ended(process->state))
		record_signals(r, SIG_BLOCKED, process->blocked);
	for (size_t i = 0; i < process->nthreads; i++)
		living += !signal_thread_ended(process->threads[i].state);
	record_u64(r, SIG_NTHREADS, living);
	for (size_t i = 0; i < process->nthreads; i++)
		if (process->threads[i].tracer)
			record_u64(r, SIG_TRACER, process->threads[i].tracer);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct signal_process *process = &p->snapshot->signals.items[i];

	record_text(r, SIG_KIND, "signal");
	record_number_ref(r, SIG_REF, process->pid);
	record_u64(r, SIG_PID, process->pid);
	record_str(r, SIG_COMMAND, process->command);
	record_user(p, r, SIG_OWNER, process->uid);
	record_u64(r, SIG_UID, process->uid);
	record_u64(r, SIG_REAL_UID, process->real_uid);
	record_i64(r, SIG_START, process->start);
	record_run_state(r, SIG_RUN_STATE, process->state);
	project_masks(process, r);
	record_u64(r, SIG_QUEUE_USED, process->queued);
	/* The kernel's RLIM_INFINITY, of 64 or 32 bits: no limit. */
	if (process->limit != UINT64_MAX && process->limit != ULONG_MAX)
		record_u64(r, SIG_QUEUE_LIMIT, process->limit);
	if (wants_any(p->want, SIG_WHY, SIG_SIGNALS) &&
	    signal_pending_project(p, r, process, SIG_WHY, SIG_SIGNALS) < 0)
		return -ENOMEM;
	if (wants(p->want, SIG_THREADS) && project_threads(process, r) < 0)
		return -ENOMEM;
	if (wants_any(p->want, SIG_QUEUE, SIG_QUEUE_CUT))
		return signal_queue_project(p, r, process, SIG_QUEUE, SIG_QUEUE_CUT);
	return 0;
}

/* 0 or -EINVAL. */
static int parse_pid(struct span id, uint32_t *pid)
{
	uint64_t number;

	if (parse_u64_in(id, 1, INT32_MAX, &number) < 0)
		return -EINVAL;
	*pid = (uint32_t)number;
	return 0;
}

static int narrow(struct span id, struct scan_request *request)
{
	uint32_t pid;

	return parse_pid(id, &pid) < 0 ? 0 : name_list_add(&request->processes, id);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	const struct signal_process *p;
	int64_t found;
	uint32_t pid;

	if (parse_pid(id, &pid) < 0) {
		report_text(report, "expected the number of a process, such as signal:1234");
		return -EINVAL;
	}
	found = signals_find(&s->signals, pid);
	p = found < 0 ? NULL : &s->signals.items[found];
	if (p && p->leader != p->pid) {
		report_text(report, "that is a thread of process %u; expected signal:%u", p->leader,
			    p->leader);
		return -EINVAL;
	}
	return matches_found(m, found);
}

/* What is queued to the user's processes, against the limit of this one of them. */
static void limit_queue(struct snapshot *s, struct limit_value *out)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct signal_status status;
	struct rlimit limit;
	int e = s->context->own_proc ? read_file_at(s->context->proc, "self/status", &text) : -ENOTSUP;

	if (e == 0)
		e = signal_status_parse(buf_span(&text), &status);
	if (e == 0)
		out->used = value_u64(status.queued);
	else
		out->used = (struct value){ .state = VALUE_UNKNOWN,
					    .error = e == -ENOTSUP ? WHY_OTHER_SYSTEM : -e };
	if (getrlimit(RLIMIT_SIGPENDING, &limit) < 0)
		out->limit = (struct value){ .state = VALUE_UNKNOWN, .error = errno };
	else if (limit.rlim_cur != RLIM_INFINITY)
		out->limit = value_u64(limit.rlim_cur);
}

static const struct limit limits[] = {
	{ "rlimit-sigpending", FIELD_U64, "signals queued to processes of this user", "RLIMIT_SIGPENDING",
	  "sigqueue: EAGAIN", true, 0, limit_queue },
};

const struct kind kind_signal = {
	.name = "signal",
	.groups = GROUP_SYNC,
	.title = "Pending signals of a process",
	.identifier = "process",
	.handle = "process",
	.persistence = "until delivered",
	.access = "same user, or CAP_KILL",
	.source = "/proc/PID/task/TID/status",
	.create_means = "pidfd_send_signal(2)",
	.remove_means = "not possible from outside",
	.reference = "signal:PID",
	.schema = &schema,
	.sources = SOURCE_SIGNALS,
	.narrow = narrow,
	.count = count,
	.owns = owns,
	.project = project,
	.resolve = resolve,
	.create_opts = signal_create_opts,
	.ncreate_opts = SIGNAL_CREATE_NOPTS,
	.name_arg = "PID",
	.create = signal_create,
	.irremovable =
		"what is pending cannot be taken back from outside; its process takes it by unblocking "
		"it or with sigwait(3), or drops it by ignoring it",
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
