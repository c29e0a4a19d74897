/* SPDX-License-Identifier: MIT */
#include "kind/verdict.h"

#include <errno.h>

enum recorded recorded_process(struct projector *p, uint32_t pid, int64_t until,
			       const struct process **process)
{
	const struct process *found;

	if (pid == 0)
		return PROCESS_CANNOT_TELL;
	found = process_get(&p->processes, p->snapshot->context, pid);
	if (!found || (found->error < 0 && found->error != -ENOENT))
		return PROCESS_CANNOT_TELL;
	if (found->error < 0)
		return PROCESS_GONE;
	/* A zombie comes back to nothing, unless threads outlive its leader. */
	if (found->state == 'Z' && found->threads <= 1)
		return PROCESS_GONE;
	/* What was recorded before this boot, as the clock is set now, was recorded by a
	 * clock that was set since: start times cannot be compared with it. */
	if (until < p->processes.boot / 1000000000)
		return PROCESS_CANNOT_TELL;
	if (found->start > until)
		return PROCESS_GONE;
	*process = found;
	return PROCESS_ALIVE;
}
