/* SPDX-License-Identifier: MIT */
#include "scan/blocked.h"

#include <errno.h>

/* Whoever waits in open(2) decides over files that nobody has open. */
static bool wants_openers(const struct snapshot *s)
{
	return s->sources & SOURCE_OPENERS || (s->sources & SOURCE_FIFO && s->paths.nfifos > 0);
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
	return r;
}
