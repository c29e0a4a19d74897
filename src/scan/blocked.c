/* SPDX-License-Identifier: MIT */
#include "scan/blocked.h"

#include <errno.h>

/* Whoever waits in open(2) decides over files that nobody has open. */
static bool wants_openers(const struct snapshot *s)
{
	return s->sources & SOURCE_OPENERS || (s->sources & SOURCE_FIFO && s->paths.nfifos > 0);
}

/* Futexes that only those show who wait for them are missing where one did not tell. */
static void warn_of_futexes(const struct snapshot *s, struct warnings *warnings)
{
	const struct futexes *f = &s->futexes;

	if (!s->context->own_proc || !s->context->own_pids)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "futex",
					   .error = EPERM,
					   .text = "what tasks of another system or PID namespace wait for "
						   "cannot be understood" });
	else if (!f->complete || !f->lists_complete)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "futex",
					   .error = EACCES,
					   .text = "tasks could not be asked what they wait for and hold; "
						   "that is not shown",
					   .count = s->tasks.unreadable });
	if (f->nunclear)
		warnings_add(warnings,
			     &(struct warning){ .subject = "futex",
						.error = EACCES,
						.text = "process(es) wait for something that cannot "
							"be understood; that is not shown",
						.count = f->nunclear });
}

int blocked_take(struct snapshot *s, unsigned threads, struct warnings *warnings)
{
	int r = 0;

	if (s->sources & (SOURCE_TASKS | SOURCE_FUTEX) || wants_openers(s))
		r = tasks_read(&s->tasks, s->context, threads);
	if (r < 0 && r != -ENOMEM) {
		s->tasks.complete = false;
		s->failed |= SOURCE_TASKS;
		warnings_add(warnings, &(struct warning){ .subject = "/proc", .error = -r });
		r = 0;
	}
	if (r == 0 && wants_openers(s))
		r = openers_find(&s->openers, s->context, &s->tasks);
	if (r == 0 && s->sources & SOURCE_FUTEX)
		r = futexes_find(s);
	if (r == 0 && s->sources & SOURCE_FUTEX)
		warn_of_futexes(s, warnings);
	return r;
}
