/* SPDX-License-Identifier: MIT */
#include "kind/sysv_verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kind/reclaim.h"
#include "kind/waiting.h"
#include "scan/sysv_abi.h"

/* Of a segment that nobody has attached: whom it records. */
static void judge_unattached(struct projector *p, const struct sysv_shm_row *row, struct record *r,
			     const struct verdict_fields *at)
{
	struct recorded_all all = { 0 };
	enum recorded creator, last = PROCESS_GONE;

	creator = weigh_recorded(p, r, at, &all, row->cpid, row->ctime, "creator");
	/* Nobody ever attached: then there is no last user to ask. */
	if (row->atime || row->dtime)
		last = weigh_recorded(p, r, at, &all, row->lpid, newer(row->atime, row->dtime), "last user");
	/* It always has a creator: without a number, one out of sight. */
	if (row->cpid == 0)
		creator = PROCESS_CANNOT_TELL;
	if (row->nattch > 0)
		return;
	if (all.alive)
		record_state(p, r, at->state, "idle", at->reason, "%s %u (%.*s) is alive", all.role, all.pid,
			     (int)all.alive->command.len, all.alive->command.ptr);
	else if (creator == PROCESS_CANNOT_TELL || last == PROCESS_CANNOT_TELL)
		record_state(p, r, at->state, "unknown", at->reason,
			     "nothing attached; %s cannot be judged from here",
			     creator == PROCESS_CANNOT_TELL ? "its creator" : "its last user");
	else
		record_state(p, r, at->state, "orphaned", at->reason,
			     "nothing attached, creator and last user are gone");
}

void sysv_shm_judge(struct projector *p, const struct sysv_shm_row *row, struct record *r,
		    const struct verdict_fields *at)
{
	unsigned long long nattch = row->nattch;

	record_evidence(p, r, at->evidence, "attachments", nattch > 0 ? SHOWS_USE : SHOWS_DISUSE, "%llu",
			nattch);
	if (nattch > 0)
		record_state(p, r, at->state, "in-use", at->reason, "%s%llu attached",
			     row->perm.perms & SYSV_SHM_DEST ? "marked for destruction, " : "", nattch);
	else if (p->snapshot->depth.no_processes)
		record_state(p, r, at->state, "unknown", at->reason,
			     "nothing attached; processes were not looked at");
	if (!p->snapshot->depth.no_processes && (nattch == 0 || wants_evidence(p, at->evidence)))
		judge_unattached(p, row, r, at);
}

/* Whether the rules let it go, by what was seen of it and what its processes are now. 0, or as kind->reclaim.
 */
static int decide_segment(struct projector *p, const struct sysv_shm_row *row, const struct reclaim *rules,
			  struct report *report)
{
	struct arena arena = { 0 };
	struct record r;
	int e = verdict_begin(p, &r, &arena);

	if (e == 0) {
		sysv_shm_judge(p, row, &r, &verdict_at);
		e = verdict_allows(&r, rules, report);
	}
	arena_free(&arena);
	return e;
}

/* Whether it is as it was seen. 0, or as kind->reclaim. */
static int check_segment(const struct sysv_shm_row *row, struct report *report)
{
	struct shmid_ds ds = { 0 };
	int e = shmctl((int)row->perm.id, SHM_STAT_ANY, &ds);

	if (e < 0)
		return sysv_removed(e);
	if (e != (int)row->perm.id)
		return -ENOENT;
	if (sysv_compare(&ds.shm_perm, &row->perm) < 0 || (uint32_t)ds.shm_cpid != row->cpid ||
	    ds.shm_ctime != row->ctime)
		return -ESTALE;
	if (ds.shm_nattch > 0 || ds.shm_atime != row->atime || ds.shm_dtime != row->dtime ||
	    (uint32_t)ds.shm_lpid != row->lpid) {
		report_text(report, ds.shm_nattch > 0 ? "somebody has attached it" : "it was used meanwhile");
		return -EBUSY;
	}
	return 0;
}

/*
 * Between the look, which is the last thing before it, and IPC_RMID somebody may attach it: then it is only
 * marked, and goes with the last who has it. That is told.
 */
int sysv_shm_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct sysv_shm_row *row = sysv_shm_at(&p->snapshot->sysv[SYSV_SHM], i);
	int id = (int)row->perm.id, e = decide_segment(p, row, rules, report);
	struct shmid_ds ds = { 0 };

	if (e == 0)
		e = check_segment(row, report);
	if (e == 0)
		e = sysv_removed(shmctl(id, IPC_RMID, NULL));
	if (e == 0 && shmctl(id, SHM_STAT_ANY, &ds) == id && ds.shm_perm.mode & SYSV_SHM_DEST)
		report_text(report, "somebody attached it in that moment, and keeps it until he detaches it");
	return e;
}

/* The kernel keeps no list of users: who waits, and who changed its semaphores last. */
int sysv_sem_judge(struct projector *p, const struct sysv_sem_row *row, struct record *r,
		   const struct verdict_fields *at)
{
	int id = (int)row->perm.id, waiters = 0, before = 0;
	struct recorded_all all = { 0 };

	if (p->snapshot->depth.no_processes || !p->snapshot->context->own_proc) {
		record_state(p, r, at->state, "unknown", at->reason, "processes were not looked at");
		return 0;
	}
	for (int i = 0; i < (int)row->nsems; i++) {
		int pid = semctl(id, i, GETPID), n = semctl(id, i, GETNCNT), z = semctl(id, i, GETZCNT);

		if (pid < 0 || n < 0 || z < 0) {
			int e = sysv_removed(-1);

			record_state(p, r, at->state, "unknown", at->reason,
				     "its semaphores could not be read: %s", strerror(-e));
			record_no_evidence(p, r, at->evidence, -e);
			return e == -ENOENT ? PROJECT_SKIP : 0;
		}
		waiters += n + z;
		/* Most sets are one process's. */
		if (i == 0 || pid != before)
			(void)weigh_recorded(p, r, at, &all, (uint32_t)pid, newer(row->otime, row->ctime),
					     "last changer");
		before = pid;
	}
	record_evidence(p, r, at->evidence, "waiters", waiters > 0 ? SHOWS_USE : SHOWS_NOTHING, "%d",
			waiters);
	if (waiters > 0)
		record_state(p, r, at->state, "in-use", at->reason, "%d task%s blocked on it", waiters,
			     plural((uint64_t)waiters));
	else
		judge_by_records(p, r, at, &all, "");
	return 0;
}

/* They are stale at most: one that is idle may be in use as well. 0, or as kind->reclaim. */
static int allow_unlisted(struct projector *p, const struct sysv_perm *perm, const struct record *r,
			  const struct reclaim *rules, struct report *report)
{
	int e = verdict_allows(r, &(struct reclaim){ .stale = rules->stale }, report);

	return e < 0 ? e : nobody_is_left(p, perm->uid, perm->cuid, report);
}

int sysv_sem_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct sysv_sem_row *row = sysv_sem_at(&p->snapshot->sysv[SYSV_SEM], i);
	struct arena arena = { 0 };
	struct semid_ds ds = { 0 };
	struct record r;
	int e = semctl((int)row->perm.id, 0, SEM_STAT_ANY, (union semun){ .buf = &ds });

	if (e < 0)
		return sysv_removed(e);
	if (e != (int)row->perm.id)
		return -ENOENT;
	if (sysv_compare(&ds.sem_perm, &row->perm) < 0 || ds.sem_nsems != row->nsems)
		return -ESTALE;
	if (ds.sem_otime != row->otime || ds.sem_ctime != row->ctime) {
		report_text(report, "it was used meanwhile");
		return -EBUSY;
	}
	e = verdict_begin(p, &r, &arena);
	if (e == 0)
		e = sysv_sem_judge(p, row, &r, &verdict_at);
	if (e == 0)
		e = allow_unlisted(p, &row->perm, &r, rules, report);
	arena_free(&arena);
	return e != 0 ? e : sysv_removed(semctl((int)row->perm.id, 0, IPC_RMID));
}

/* The kernel keeps no list of users: who waits, and whom the queue records. */
void sysv_msg_judge(struct projector *p, const struct sysv_msg_row *row, struct record *r,
		    const struct verdict_fields *at)
{
	const struct object_key key = { OBJECT_SYSV_MSG, 0, sysv_number(p->snapshot->ipcns, row->perm.id) };
	const struct blocked *waits = blocked_next(&p->snapshot->blocked, &key, NULL);
	struct recorded_all all = { 0 };
	char more[48] = "";

	if (waits) {
		record_evidence(p, r, at->evidence, "waiters", SHOWS_USE, "%u in %s", waits->pid,
				task_wait_name(waits->wait));
		record_state(p, r, at->state, "in-use", at->reason, "process %u waits in %s", waits->pid,
			     task_wait_name(waits->wait));
	} else {
		record_evidence(p, r, at->evidence, "waiters", SHOWS_NOTHING, "none%s",
				waiting_is_known(p, &key) ? "" : " in sight");
	}
	record_evidence(p, r, at->evidence, "messages", SHOWS_NOTHING, "%llu", (unsigned long long)row->qnum);
	if (p->snapshot->depth.no_processes) {
		if (!waits)
			record_state(p, r, at->state, "unknown", at->reason, "processes were not looked at");
		return;
	}
	if (row->qnum > 0)
		snprintf(more, sizeof(more), ", %llu message%s", (unsigned long long)row->qnum,
			 plural(row->qnum));
	/* It tells nobody who made it. */
	if (row->stime && (!waits || wants_evidence(p, at->evidence)))
		(void)weigh_recorded(p, r, at, &all, row->lspid, row->stime, "last sender");
	if (row->rtime && (!waits || wants_evidence(p, at->evidence)))
		(void)weigh_recorded(p, r, at, &all, row->lrpid, row->rtime, "last receiver");
	if (waits)
		return;
	if (!all.alive && !waiting_is_known(p, &key))
		record_state(p, r, at->state, "unknown", at->reason,
			     "whether somebody waits for it could not be read%s", more);
	else
		judge_by_records(p, r, at, &all, more);
}

/* Whether it is as it was, and nobody waits for it now. 0, or as kind->reclaim. */
static int check_queue(const struct sysv_msg_row *row, uint64_t ipcns, const struct msqid_ds *ds,
		       const struct reclaim *rules, struct report *report)
{
	const struct object_key key = { OBJECT_SYSV_MSG, 0, sysv_number(ipcns, row->perm.id) };
	const struct blocked_tasks *now = rules->now ? &rules->now->blocked : NULL;

	if (sysv_compare(&ds->msg_perm, &row->perm) < 0 || ds->msg_ctime != row->ctime)
		return -ESTALE;
	if (ds->msg_stime != row->stime || ds->msg_rtime != row->rtime || ds->msg_qnum != row->qnum)
		report_text(report, "it was used meanwhile");
	else if (ds->msg_qnum > 0 && !rules->messages)
		report_text(report, "it holds %lu message%s", (unsigned long)ds->msg_qnum,
			    plural(ds->msg_qnum));
	else if (!now || !now->looked || !now->complete || rules->now->tasks.hidden)
		report_text(report, "whether somebody waits for it could not be read");
	else if (blocked_next(now, &key, NULL))
		report_text(report, "process %u waits for it", blocked_next(now, &key, NULL)->pid);
	else
		return 0;
	return -EBUSY;
}

int sysv_msg_reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct sysv_msg_row *row = sysv_msg_at(&p->snapshot->sysv[SYSV_MSG], i);
	struct arena arena = { 0 };
	struct msqid_ds ds = { 0 };
	struct record r;
	int e = msgctl((int)row->perm.id, MSG_STAT_ANY, &ds);

	if (e < 0)
		return sysv_removed(e);
	if (e != (int)row->perm.id)
		return -ENOENT;
	e = check_queue(row, p->snapshot->ipcns, &ds, rules, report);
	if (e == 0)
		e = verdict_begin(p, &r, &arena);
	if (e == 0) {
		sysv_msg_judge(p, row, &r, &verdict_at);
		e = allow_unlisted(p, &row->perm, &r, rules, report);
	}
	arena_free(&arena);
	return e < 0 ? e : sysv_removed(msgctl((int)row->perm.id, IPC_RMID, NULL));
}
