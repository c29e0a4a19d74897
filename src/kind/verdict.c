/* SPDX-License-Identifier: MIT */
#include "kind/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kind/common.h"

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

int judge_unheld(struct projector *p, struct record *r, const struct verdict_fields *at, uint32_t uid,
		 int64_t created, const char *proof)
{
	const struct user_process *oldest;

	if (p->snapshot->depth.no_processes) {
		record_state(p, r, at->state, "unknown", at->reason, "%s; processes were not looked at",
			     proof);
		return 0;
	}
	if (owners_read(&p->owners, p->snapshot->context) < 0)
		return -ENOMEM;
	oldest = owners_oldest(&p->owners, uid);
	/* Who was started in the same second may be older. */
	if (oldest && oldest->start <= created)
		record_state(p, r, at->state, "idle", at->reason,
			     "%s; process %u (%.*s) of its owner is older, and could come back", proof,
			     oldest->pid, (int)oldest->command.len, oldest->command.ptr);
	else if (p->owners.error < 0)
		record_state(p, r, at->state, "unknown", at->reason, "%s; processes could not be looked at",
			     proof);
	else if (!p->owners.complete)
		record_state(p, r, at->state, "idle", at->reason, "%s; somebody out of sight could come back",
			     proof);
	else
		record_state(p, r, at->state, "orphaned", at->reason,
			     "%s, and no process of its owner is older", proof);
	return 0;
}

/* What the lease cannot see: a mount of the file elsewhere. */
static bool is_mounted_elsewhere(struct projector *p, const struct leased_file *file, int *error)
{
	bind_sources_read(&p->binds);
	*error = p->binds.error;
	return bind_sources_has(&p->binds, file->dev, file->path);
}

int judge_by_lease(struct projector *p, struct record *r, const struct verdict_fields *at,
		   const struct leased_file *file)
{
	_cleanup_(close_fd) int fd = -1;
	char proof[96];
	int error, e = lease_take(file->dir, file->leaf, file->dev, file->ino, &fd);

	if (e == -ENOENT || e == -ESTALE)
		return PROJECT_SKIP;
	if (e == -ENOMEM)
		return e;
	if (e == -EBUSY) {
		record_state(p, r, at->state, "in-use", at->reason,
			     "somebody has it open, as the kernel tells (write lease refused)%s", file->more);
		return 0;
	}
	if (e == -EACCES || e == -EPERM) {
		record_state(p, r, at->state, "unknown", at->reason,
			     "only its owner, or CAP_LEASE, could prove that nobody has it open%s",
			     file->more);
		return 0;
	}
	if (e < 0) {
		record_state(p, r, at->state, "unknown", at->reason,
			     "the kernel would not tell whether somebody has it open: %s", strerror(-e));
		return 0;
	}
	if (is_mounted_elsewhere(p, file, &error) || error < 0) {
		record_state(p, r, at->state, "unknown", at->reason,
			     error < 0 ? "whether it is mounted elsewhere could not be read" :
					 "it is mounted elsewhere, too");
		return 0;
	}
	snprintf(proof, sizeof(proof), "nobody has it open%s", file->more);
	return judge_unheld(p, r, at, file->uid, file->created, proof);
}

void weigh_recorded(struct projector *p, struct recorded_all *all, uint32_t pid, int64_t until,
		    const char *role)
{
	const struct process *process = NULL;

	/* In the first PID namespace everybody has a number: none is nobody. */
	if (pid == 0 && proc_is_initial(p->snapshot->context->proc))
		return;
	all->any = true;
	switch (recorded_process(p, pid, until, &process)) {
	case PROCESS_ALIVE:
		if (!all->alive) {
			all->alive = process;
			all->pid = pid;
			all->role = role;
		}
		break;
	case PROCESS_CANNOT_TELL:
		all->unjudged = true;
		break;
	case PROCESS_GONE:
		break;
	}
}

void judge_by_records(struct projector *p, struct record *r, const struct verdict_fields *at,
		      const struct recorded_all *all, const char *more)
{
	if (all->alive)
		record_state(p, r, at->state, "idle", at->reason, "%s %u (%.*s) is alive%s", all->role,
			     all->pid, (int)all->alive->command.len, all->alive->command.ptr, more);
	else if (all->unjudged)
		record_state(p, r, at->state, "unknown", at->reason,
			     "a process that it records cannot be judged from here%s", more);
	else
		record_state(p, r, at->state, "stale", at->reason,
			     all->any ? "nobody waits, and every process that it records is gone%s" :
					"nobody waits, and it records no process%s",
			     more);
}
