/* SPDX-License-Identifier: MIT */
#include "kind/signal_pending.h"

#include <errno.h>

#include "lib/signals.h"

enum { PENDING_SIGNAL, PENDING_NUMBER, PENDING_TID, PENDING_WHY, PENDING_ACTION };

static const char *const why_values[] = { "blocked",   "stopped", "traced", "uninterruptible",
					  "unblocked", "ended",	  NULL };
enum why_pending { BLOCKED, STOPPED, TRACED, UNINTERRUPTIBLE, UNBLOCKED, ENDED };

static const char *const action_values[] = { "caught", "ignored", "default", NULL };

static const struct field pending_fields[] = {
	[PENDING_SIGNAL] = { .name = "signal", .type = FIELD_STR, .help = "its name" },
	[PENDING_NUMBER] = { .name = "number", .type = FIELD_U64, .help = "its number" },
	[PENDING_TID] = { .name = "tid",
			  .type = FIELD_PID,
			  .help = "thread that it is for; absent: any thread of the process may take it" },
	[PENDING_WHY] = { .name = "why",
			  .type = FIELD_STR,
			  .values = why_values,
			  .help = "what keeps it from being delivered" },
	[PENDING_ACTION] = { .name = "action",
			     .type = FIELD_STR,
			     .values = action_values,
			     .help = "what the process does with it then" },
};

const struct schema signal_pending_schema = { "signals", pending_fields, ARRAY_SIZE(pending_fields) };

void record_signals(struct record *r, size_t field, uint64_t mask)
{
	_cleanup_(buf_free) struct buf names = { 0 };

	if (mask == 0)
		return;
	signal_names_into(&names, mask);
	record_buf(r, field, &names);
}

/* Why one thread does not take a signal now. */
static enum why_pending why_thread(const struct signal_thread *t, uint64_t bit)
{
	if (signal_thread_ended(t->state))
		return ENDED;
	if (t->blocked & bit)
		return BLOCKED;
	switch (t->state) {
	case 'T':
		return STOPPED;
	case 't':
		return TRACED;
	case 'D':
		return UNINTERRUPTIBLE;
	default:
		return UNBLOCKED;
	}
}

/* The same of a signal that any thread may take: what keeps the one from it that is nearest to. */
static enum why_pending why_process(const struct signal_process *p, uint64_t bit)
{
	/* From who is nearest to who is farthest: a thread that blocks it takes it last. */
	static const enum why_pending order[] = { UNBLOCKED, UNINTERRUPTIBLE, TRACED, STOPPED, BLOCKED };
	unsigned seen = 0;

	for (size_t i = 0; i < p->nthreads; i++)
		seen |= 1U << why_thread(&p->threads[i], bit);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (seen >> order[i] & 1)
			return order[i];
	return ENDED;
}

/* A row for each signal in a mask; thread: that it is for, or NULL. *seen: reasons, as bits. */
static int add_pending(const struct signal_process *p, const struct signal_thread *thread, uint64_t mask,
		       struct record *r, struct list *list, unsigned *seen)
{
	for (int number = 1; mask != 0; number++, mask >>= 1) {
		uint64_t bit = SIGNAL_BIT(number);
		enum why_pending why;
		struct record row;

		if (!(mask & 1))
			continue;
		why = thread ? why_thread(thread, bit) : why_process(p, bit);
		*seen |= 1U << why;
		if (!list)
			continue;
		if (list_append(r, list, &row) < 0)
			return -ENOMEM;
		record_signals(&row, PENDING_SIGNAL, bit);
		record_u64(&row, PENDING_NUMBER, (uint64_t)number);
		if (thread)
			record_u64(&row, PENDING_TID, thread->tid);
		record_text(&row, PENDING_WHY, why_values[why]);
		record_text(&row, PENDING_ACTION,
			    p->caught & bit  ? "caught" :
			    p->ignored & bit ? "ignored" :
					       "default");
	}
	return 0;
}

int signal_pending_project(struct projector *p, struct record *r, const struct signal_process *process,
			   size_t why_field, size_t list_field)
{
	_cleanup_(buf_free) struct buf why = { 0 };
	struct list *list = wants(p->want, list_field) ? record_list(r, list_field) : NULL;
	unsigned seen = 0;

	if (!list && wants(p->want, list_field))
		return -ENOMEM;
	if (add_pending(process, NULL, process->pending, r, list, &seen) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < process->nthreads; i++) {
		const struct signal_thread *t = &process->threads[i];

		if (add_pending(process, t, t->pending, r, list, &seen) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; why_values[i]; i++)
		if (seen >> i & 1)
			buf_printf(&why, "%s%s", why.len > 0 ? ", " : "", why_values[i]);
	if (why.len > 0)
		record_buf(r, why_field, &why);
	return why.failed ? -ENOMEM : 0;
}
