/* SPDX-License-Identifier: MIT */
#include "kind/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
	switch (process_order(p, pid, found->earliest, until)) {
	case CLOCK_BEFORE:
		*process = found;
		return PROCESS_ALIVE;
	case CLOCK_AFTER:
		return PROCESS_GONE;
	default:
		return PROCESS_CANNOT_TELL;
	}
}

bool wants_verdict(const struct projector *p, const struct verdict_fields *at)
{
	return wants_any(p->want, at->state, at->reason) || wants_evidence(p, at->evidence);
}

/* Who of the owner's processes could come back; order: that of the oldest, if there is one. */
static void put_oldest(struct projector *p, struct record *r, const struct verdict_fields *at,
		       const struct user_process *oldest, enum clock_order order)
{
	const char *source = "older process of owner";

	if (oldest && order == CLOCK_BEFORE)
		record_evidence(p, r, at->evidence, source, SHOWS_RETURN, "%u (%.*s)", oldest->pid,
				(int)oldest->command.len, oldest->command.ptr);
	else if (oldest && order == CLOCK_CANNOT_TELL)
		record_evidence(p, r, at->evidence, source, SHOWS_NOTHING,
				"%u (%.*s) perhaps: the clock may have been set since", oldest->pid,
				(int)oldest->command.len, oldest->command.ptr);
	else if (p->owners.error < 0 || !p->owners.complete)
		record_evidence(p, r, at->evidence, source, SHOWS_NOTHING, "none in sight");
	else
		record_evidence(p, r, at->evidence, source, SHOWS_DISUSE, "none");
}

int judge_unheld(struct projector *p, struct record *r, const struct verdict_fields *at, uint32_t uid,
		 int64_t created, const char *proof)
{
	enum clock_order order = CLOCK_AFTER;
	const struct user_process *oldest;

	if (p->snapshot->depth.no_processes) {
		record_state(p, r, at->state, "unknown", at->reason, "%s; processes were not looked at",
			     proof);
		return 0;
	}
	if (owners_read(&p->owners, p->snapshot->context) < 0)
		return -ENOMEM;
	oldest = owners_oldest(&p->owners, uid);
	if (oldest)
		order = process_order(p, oldest->pid, oldest->earliest, created);
	put_oldest(p, r, at, oldest, order);
	/* Who was started in the same second may be older. */
	if (oldest && order == CLOCK_BEFORE)
		record_state(p, r, at->state, "idle", at->reason,
			     "%s; process %u (%.*s) of its owner is older, and could come back", proof,
			     oldest->pid, (int)oldest->command.len, oldest->command.ptr);
	else if (oldest && order == CLOCK_CANNOT_TELL)
		record_state(
			p, r, at->state, "unknown", at->reason,
			"%s; process %u (%.*s) of its owner may be older: the clock may have been set since",
			proof, oldest->pid, (int)oldest->command.len, oldest->command.ptr);
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

/* What the look at all processes found. */
static void put_holders(struct projector *p, struct record *r, const struct verdict_fields *at,
			const struct holding_count *found, const struct holder *only)
{
	const char *source = "holders";
	unsigned long long n = found->processes;

	if (only)
		record_evidence(p, r, at->evidence, source, SHOWS_NOTHING, "O_PATH alone");
	else if (n > 0)
		record_evidence(p, r, at->evidence, source, SHOWS_USE, "%llu process%s", n,
				n == 1 ? "" : "es");
	else if (!p->snapshot->holders.walked)
		record_evidence(p, r, at->evidence, source, SHOWS_NOTHING, "not looked for");
	else
		record_evidence(p, r, at->evidence, source, SHOWS_NOTHING, "none%s",
				found->all ? "" : " in sight");
}

bool judge_by_holders(struct projector *p, struct record *r, const struct verdict_fields *at,
		      const struct object_key *key, bool deleted, const struct holding_count *found)
{
	const struct holder *only = found->processes > 0 ? holding_paths_only(p, key) : NULL;
	bool prove = p->snapshot->depth.prove && found->processes == 0 && !deleted;

	put_holders(p, r, at, found, only);
	if (!prove && !deleted)
		record_evidence(p, r, at->evidence, "write lease", SHOWS_NOTHING, "not asked%s",
				p->snapshot->depth.prove ? ", there are holders" : " (--prove)");
	if (only)
		record_state(p, r, at->state, "unknown", at->reason,
			     "%sheld by descriptors of O_PATH alone, which reach no data: process %u (%.*s)",
			     deleted ? "deleted, " : "", only->pid, (int)only->command.len,
			     only->command.ptr);
	else if (!prove && !deleted && found->processes == 0 && p->snapshot->holders.walked)
		record_state(p, r, at->state, "unknown", at->reason,
			     "no process in sight holds it; --prove asks the kernel");
	else if (!prove)
		record_held_state(p, r, at->state, at->reason, deleted, found);
	return !prove;
}

/* What the lease cannot see: a mount of the file elsewhere. */
static bool is_mounted_elsewhere(struct projector *p, const struct leased_file *file, int *error)
{
	bind_sources_read(&p->binds, p->snapshot->context);
	*error = p->binds.error;
	return bind_sources_has(&p->binds, file->dev, file->path);
}

/* What a lease that was not given means. PROJECT_SKIP or 0. */
static int judge_refusal(struct projector *p, struct record *r, const struct verdict_fields *at,
			 const struct leased_file *file, int error)
{
	if (error == -ENOENT || error == -ESTALE)
		return PROJECT_SKIP;
	record_evidence(p, r, at->evidence, "write lease", error == -EBUSY ? SHOWS_USE : SHOWS_NOTHING, "%s",
			error == -EBUSY ? "refused" : strerror(-error));
	if (error == -EBUSY)
		record_state(p, r, at->state, "in-use", at->reason,
			     "somebody has it open, as the kernel tells (write lease refused)%s", file->more);
	else if (error == -EACCES || error == -EPERM)
		record_state(p, r, at->state, "unknown", at->reason,
			     "only its owner, or CAP_LEASE, could prove that nobody has it open%s",
			     file->more);
	else
		record_state(p, r, at->state, "unknown", at->reason,
			     "the kernel would not tell whether somebody has it open: %s", strerror(-error));
	return 0;
}

int judge_free(struct projector *p, struct record *r, const struct verdict_fields *at,
	       const struct leased_file *file)
{
	char proof[96];
	int error;

	bool elsewhere = is_mounted_elsewhere(p, file, &error);

	if (error == -ENOMEM)
		return error;
	record_evidence(p, r, at->evidence, "write lease", SHOWS_DISUSE, "granted");
	record_evidence(p, r, at->evidence, "mounts elsewhere",
			elsewhere ? SHOWS_RETURN :
			error < 0 ? SHOWS_NOTHING :
				    SHOWS_DISUSE,
			"%s",
			elsewhere	? "there is one" :
			error < 0	? strerror(-error) :
			p->binds.hidden ? "none in sight" :
					  "none");
	if (elsewhere || error < 0) {
		record_state(p, r, at->state, "unknown", at->reason,
			     error < 0 ? "whether it is mounted elsewhere could not be read" :
					 "it is mounted elsewhere, too");
		return 0;
	}
	snprintf(proof, sizeof(proof), "nobody has it open%s", file->more);
	return judge_unheld(p, r, at, file->uid, file->created, proof);
}

static int judge_leased(struct projector *p, struct record *r, const struct verdict_fields *at,
			const struct leased_file *file)
{
	_cleanup_(close_fd) int fd = -1;
	struct stat st;
	int e = lease_take(file->dir, file->leaf, file->dev, file->ino, &st, &fd);

	if (e == -ENOMEM)
		return e;
	return e < 0 ? judge_refusal(p, r, at, file, e) : judge_free(p, r, at, file);
}

int judge_by_lease(struct projector *p, struct record *r, const struct verdict_fields *at,
		   const struct leased_file *file)
{
	int e;

	if (file->alone)
		pthread_mutex_lock(file->alone);
	e = judge_leased(p, r, at, file);
	if (file->alone)
		pthread_mutex_unlock(file->alone);
	return e;
}

/* What became of a process that the object records. */
static void put_recorded(struct projector *p, struct record *r, const struct verdict_fields *at,
			 const char *role, uint32_t pid, enum recorded is, const struct process *process)
{
	if (is == PROCESS_ALIVE)
		record_evidence(p, r, at->evidence, role, SHOWS_RETURN, "%u (%.*s) is alive", pid,
				(int)process->command.len, process->command.ptr);
	else if (is == PROCESS_GONE)
		record_evidence(p, r, at->evidence, role, SHOWS_DISUSE, "%u is gone", pid);
	else if (pid == 0)
		record_evidence(p, r, at->evidence, role, SHOWS_NOTHING, "outside of this PID namespace");
	else
		record_evidence(p, r, at->evidence, role, SHOWS_NOTHING, "%u cannot be judged", pid);
}

enum recorded weigh_recorded(struct projector *p, struct record *r, const struct verdict_fields *at,
			     struct recorded_all *all, uint32_t pid, int64_t until, const char *role)
{
	const struct process *process = NULL;
	enum recorded is;

	/* In the first PID namespace everybody has a number: none is nobody. */
	if (pid == 0 && proc_is_initial(p->snapshot->context->proc)) {
		record_evidence(p, r, at->evidence, role, SHOWS_NOTHING, "none recorded");
		return PROCESS_GONE;
	}
	is = recorded_process(p, pid, until, &process);
	put_recorded(p, r, at, role, pid, is, process);
	all->any = true;
	all->unjudged |= is == PROCESS_CANNOT_TELL;
	if (is == PROCESS_ALIVE && !all->alive) {
		all->alive = process;
		all->pid = pid;
		all->role = role;
	}
	return is;
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
