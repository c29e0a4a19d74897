/* SPDX-License-Identifier: MIT */
#include "kind/reclaim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { VERDICT_STATE, VERDICT_REASON };

static const struct field verdict_fields[] = {
	[VERDICT_STATE] = { .name = "state", .type = FIELD_STR },
	[VERDICT_REASON] = { .name = "reason", .type = FIELD_STR },
};
const struct schema verdict_schema = { "verdict", verdict_fields, ARRAY_SIZE(verdict_fields) };
const struct verdict_fields verdict_at = { VERDICT_STATE, VERDICT_REASON, NO_EVIDENCE };

int verdict_begin(struct projector *p, struct record *r, struct arena *arena)
{
	p->want = schema_set(&verdict_schema, 0);
	return record_init(r, &verdict_schema, arena);
}

int verdict_allows(const struct record *r, const struct reclaim *rules, struct report *report)
{
	struct span state = r->values[VERDICT_STATE].str, reason = r->values[VERDICT_REASON].str;

	if (r->values[VERDICT_STATE].state != VALUE_SET || r->values[VERDICT_REASON].state != VALUE_SET) {
		report_text(report, "it could not be judged");
		return -EBUSY;
	}
	if (span_is(state, "orphaned") || (rules->idle && span_is(state, "idle")) ||
	    (rules->stale && span_is(state, "stale")))
		return 0;
	report_text(report, "%.*s: %.*s", (int)state.len, state.ptr, (int)reason.len, reason.ptr);
	return -EBUSY;
}

int nobody_is_left(struct projector *p, uint32_t uid, uint32_t creator, struct report *report)
{
	const struct user_process *left;

	if (owners_read(&p->owners, p->snapshot->context) < 0)
		return -ENOMEM;
	left = owners_oldest(&p->owners, uid);
	if (!left)
		left = owners_oldest(&p->owners, creator);
	if (left)
		report_text(report, "process %u (%.*s) of its owner or creator is alive", left->pid,
			    (int)left->command.len, left->command.ptr);
	else if (!p->owners.complete)
		report_text(report, "a process of its owner may be out of sight");
	return left || !p->owners.complete ? -EBUSY : 0;
}

/* Whether it is as it was when it was planned, and may go. 0, or as kind->reclaim. */
static int decide_leased(struct projector *p, const struct stat *st, const struct leased_file *file,
			 const struct reclaim *rules, struct report *report)
{
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	/* To lose another name is a change, too. */
	if (st->st_ctim.tv_sec != file->created && !file->alone) {
		report_text(report, "it was changed meanwhile");
		e = -EBUSY;
	}
	if (e == 0)
		e = verdict_begin(p, &r, &arena);
	if (e == 0)
		e = judge_free(p, &r, &verdict_at, file);
	if (e == 0)
		e = verdict_allows(&r, rules, report);
	arena_free(&arena);
	return e;
}

/* Nobody can be kept from it who has looked up the name before it went, and opens it after the last look. */
#define CAUGHT "somebody was opening it in that moment, and keeps it without a name"

/* Whether the name still stands for the file. 0, -ESTALE or -errno. */
static int is_it(const struct leased_file *file)
{
	struct stat st;

	if (fstatat(file->dir, file->leaf, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	return st.st_dev == file->dev && st.st_ino == file->ino ? 0 : -ESTALE;
}

/* The same, and whether nobody waits to open it. */
static int check_name(int fd, const struct leased_file *file, struct report *report)
{
	int e = is_it(file);

	if (e == 0)
		e = lease_check(fd);
	if (e == -EBUSY)
		report_text(report, "somebody is about to open it");
	return e;
}

/* Unlinks what nobody has open, with the lease held: whoever looked it up before waits for that, and shows.
 */
static int unlink_leased(int fd, const struct leased_file *file, struct report *report)
{
	int e = check_name(fd, file, report);

	if (e == 0 && unlinkat(file->dir, file->leaf, 0) < 0)
		e = -errno;
	if (e == 0 && lease_check(fd) == -EBUSY)
		report_text(report, CAUGHT);
	return e;
}

/*
 * The same where a lease cannot be held meanwhile. Its permissions are taken away instead: whoever looked it
 * up before that waits for the lease, and shows; who comes later may not open it, unless he is root.
 */
static int unlink_shut(int fd, const struct leased_file *file, struct report *report)
{
	struct stat st;
	int e = fstat(fd, &st) < 0 || fchmod(fd, 0) < 0 ? -errno : 0;

	if (e < 0)
		return e;
	e = check_name(fd, file, report);
	if (e == 0)
		e = lease_release(fd);
	if (e == 0 && unlinkat(file->dir, file->leaf, 0) < 0)
		e = -errno;
	if (e < 0)
		(void)!fchmod(fd, st.st_mode & 07777);
	else if (lease_retake(fd) == -EBUSY)
		report_text(report, CAUGHT);
	return e;
}

static int take_and_unlink(struct projector *p, const struct leased_file *file, const struct reclaim *rules,
			   int (*check)(int fd, const struct reclaim *rules, struct report *report),
			   struct report *report)
{
	_cleanup_(close_fd) int fd = -1;
	struct stat st;
	/* It may be long since it was planned: nothing else is opened. */
	int e = is_it(file);

	if (e == 0)
		e = lease_take(file->dir, file->leaf, file->dev, file->ino, &st, &fd);

	if (e == -EBUSY)
		report_text(report, "somebody has it open now");
	if (e == 0)
		e = decide_leased(p, &st, file, rules, report);
	if (e == 0 && check)
		e = check(fd, rules, report);
	if (e < 0)
		return e;
	return file->waits_locked ? unlink_shut(fd, file, report) : unlink_leased(fd, file, report);
}

int reclaim_leased(struct projector *p, const struct leased_file *file, const struct reclaim *rules,
		   int (*check)(int fd, const struct reclaim *rules, struct report *report),
		   struct report *report)
{
	int e;

	if (file->alone)
		pthread_mutex_lock(file->alone);
	e = take_and_unlink(p, file, rules, check, report);
	if (file->alone)
		pthread_mutex_unlock(file->alone);
	return e;
}
