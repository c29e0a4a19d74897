/* SPDX-License-Identifier: MIT */
#include "kind/common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"

const char *const state_values[] = { "in-use", "idle", "orphaned", "stale", "unknown", NULL };

void record_user(struct projector *p, struct record *r, size_t field, uint32_t uid)
{
	if (wants(p->want, field))
		record_row_user(p, r, field, uid);
}

void record_row_user(struct projector *p, struct record *row, size_t field, uint32_t uid)
{
	struct span name;
	int e = users_uid_name(&p->users, uid, &name);

	if (e < 0)
		record_unknown(row, field, e);
	else
		record_str(row, field, name);
}

void record_group(struct projector *p, struct record *r, size_t field, uint32_t gid)
{
	struct span name;
	int e;

	if (!wants(p->want, field))
		return;
	e = users_gid_name(&p->users, gid, &name);
	if (e < 0)
		record_unknown(r, field, e);
	else
		record_str(r, field, name);
}

void report_owner(struct report *report, uint32_t uid, const char *more)
{
	struct users users = { 0 };
	struct span owner;

	if (users_uid_name(&users, uid, &owner) == 0)
		report_text(report, "owner %.*s%s", (int)owner.len, owner.ptr, more);
	users_free(&users);
}

void record_owner(struct projector *p, struct record *r, const struct owner_fields *at, uint32_t uid,
		  uint32_t gid, uint32_t mode)
{
	record_user(p, r, at->owner, uid);
	record_group(p, r, at->group, gid);
	record_u64(r, at->uid, uid);
	record_u64(r, at->gid, gid);
	record_u64(r, at->mode, mode & 07777);
}

void record_age(const struct projector *p, struct record *r, size_t field, int64_t newest)
{
	int64_t now = p->snapshot->taken;

	if (newest == 0)
		return;
	/* A clock set back makes objects from the future: they are new. */
	record_u64(r, field, now > newest ? (uint64_t)now - (uint64_t)newest : 0);
}

void record_time(struct record *r, size_t field, int64_t t)
{
	if (t != 0)
		record_i64(r, field, t);
}

enum clock_order process_order(struct projector *p, uint32_t pid, int64_t earliest, int64_t recorded)
{
	return clock_order(&p->processes.clock,
			   &(struct clock_question){ p->snapshot->context->proc, pid, earliest, recorded,
						     p->snapshot->taken });
}

/* Of who has that number, if it is who was meant. */
static void record_command(struct projector *p, struct record *r, size_t field, const struct process *process,
			   int64_t before)
{
	switch (process_order(p, process->pid, process->earliest, before)) {
	case CLOCK_BEFORE:
		record_str(r, field, process->command);
		break;
	case CLOCK_CANNOT_TELL:
		record_unknown_why(r, field, WHY_CLOCK_SET);
		break;
	default:
		break;
	}
}

void record_pid(struct projector *p, struct record *r, size_t field, uint32_t pid, int64_t before)
{
	const struct process *process;

	if (pid == 0)
		return;
	record_u64(r, field, pid);
	if (!wants(p->want, field + 1))
		return;
	process = process_get(&p->processes, p->snapshot->context, pid);
	if (!process)
		record_unknown(r, field + 1, ENOMEM);
	else if (process->error == 0)
		record_command(p, r, field + 1, process, before);
	else if (process->error == -ENOTSUP)
		record_unknown_why(r, field + 1, WHY_OTHER_PIDS);
	else if (process->error == -EACCES)
		record_unknown_why(r, field + 1, WHY_PROC_HIDES);
	else if (process->error < 0 && process->error != -ENOENT)
		record_unknown(r, field + 1, process->error);
}

void record_buf(struct record *r, size_t field, const struct buf *b)
{
	struct span text = { 0 };

	if (!b->failed)
		text = arena_span(r->arena, buf_span(b));
	if (text.ptr)
		record_str(r, field, text);
	else
		record_unknown(r, field, ENOMEM);
}

void record_state(struct projector *p, struct record *r, size_t state, const char *value, size_t reason,
		  const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	struct span copy;

	record_text(r, state, value);
	if (!wants(p->want, reason))
		return;
	if (!strchr(fmt, '%')) {
		record_text(r, reason, fmt);
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	copy = text ? arena_span(r->arena, span_of(text)) : (struct span){ 0 };
	if (copy.ptr)
		record_str(r, reason, copy);
	else
		record_unknown(r, reason, ENOMEM);
	free(text);
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

int parse_owner(const char *text, uint32_t *uid, uint32_t *gid, struct report *report)
{
	const char *colon = strchr(text, ':');
	_cleanup_(free_ptr) char *user = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
	int r = 0;

	*uid = *gid = (uint32_t)-1;
	if (!user)
		return -ENOMEM;
	if (user[0] != '\0' || !colon)
		r = user_id(user, uid);
	if (r < 0)
		return report_usage(report, "no user '%s'", user);
	if (colon && group_id(colon + 1, gid) < 0) {
		return report_usage(report, "no group '%s'", colon + 1);
	}
	return 0;
}

unsigned create_mode(const struct create_args *args)
{
	return args->mode.set ? (unsigned)args->mode.value : 0600;
}

void limit_sysctl(struct snapshot *s, const char *path, size_t word, struct value *out)
{
	char text[256];
	ssize_t n = read_small_at(s->context->proc, path, text, sizeof(text));
	struct span rest = { text, n < 0 ? 0 : (size_t)n }, line;
	uint64_t v = 0;
	int r = n < 0 ? (int)n : 0;

	if (r == 0 && !next_line(&rest, &line))
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i <= word; i++)
		r = next_u64(&line, &v);
	*out = r < 0 ? (struct value){ .state = VALUE_UNKNOWN, .error = -r } : value_u64(v);
}
