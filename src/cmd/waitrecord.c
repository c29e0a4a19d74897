/* SPDX-License-Identifier: MIT */
#include "cmd/waitrecord.h"

#include <errno.h>
#include <time.h>

#include "scan/slept.h"

/* Releasers of one wait that are listed, and of those that stand in blocked_by. */
#define MOST_LISTED 64
#define MOST_NAMED 2

enum { RELEASER_PID, RELEASER_TID, RELEASER_COMMAND, RELEASER_WHY, RELEASER_WAITS };

static const char *const why_values[] = {
	[RELEASE_OWNER] = "owner",	   [RELEASE_HOLDER] = "holder", [RELEASE_LAST] = "last",
	[RELEASE_OTHER_END] = "other end", [RELEASE_SHARES] = "shares", NULL,
};

static const struct field releaser_fields[] = {
	[RELEASER_PID] = { .name = "pid", .type = FIELD_PID, .help = "process that could release it" },
	[RELEASER_TID] = { .name = "tid", .type = FIELD_PID, .help = "thread; absent: any of that" },
	[RELEASER_COMMAND] = { .name = "command",
			       .type = FIELD_STR,
			       .flags = FIELD_SHRINK,
			       .help = "its command" },
	[RELEASER_WHY] = { .name = "why",
			   .type = FIELD_STR,
			   .values = why_values,
			   .help = "what it has to do with the object" },
	[RELEASER_WAITS] = { .name = "waits", .type = FIELD_BOOL, .help = "it is blocked itself" },
};

static const struct schema releaser_schema = { "releasers", releaser_fields, ARRAY_SIZE(releaser_fields) };

enum {
	WAITS_PID,
	WAITS_TID,
	WAITS_START,
	WAITS_COMMAND,
	WAITS_USER,
	WAITS_UID,
	WAITS_CALL,
	WAITS_OPERATION,
	WAITS_KIND,
	WAITS_OBJECT,
	WAITS_AMONG,
	WAITS_SINCE,
	WAITS_BLOCKED_BY,
	WAITS_RELEASERS,
	WAITS_VERDICT,
	WAITS_CYCLE,
};

const char *const wait_verdict_values[] = {
	[WAIT_GOES_ON] = "waiting",
	[WAIT_DEADLOCK] = "deadlock",
	[WAIT_LIKELY_DEADLOCK] = "likely-deadlock",
	[WAIT_OWNER_DEAD] = "owner-dead",
	NULL,
};

static const struct field fields[] = {
	[WAITS_PID] = { .name = "pid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "process that waits" },
	[WAITS_TID] = { .name = "tid",
			.type = FIELD_PID,
			.flags = FIELD_DEFAULT,
			.help = "its thread that does" },
	[WAITS_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when the process was started" },
	[WAITS_COMMAND] = { .name = "command",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT | FIELD_SHRINK,
			    .help = "its command" },
	[WAITS_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[WAITS_UID] = { .name = "uid", .type = FIELD_UID, .help = "number of that" },
	[WAITS_CALL] = { .name = "call",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .help = "system call that it is blocked in" },
	[WAITS_OPERATION] = { .name = "operation",
			      .type = FIELD_STR,
			      .flags = FIELD_DEFAULT | FIELD_SHRINK,
			      .help = "what that is to do, where it is known" },
	[WAITS_KIND] = { .name = "kind", .type = FIELD_STR, .help = "kind of the object" },
	[WAITS_OBJECT] = { .name = "object",
			   .type = FIELD_REF,
			   .flags = FIELD_DEFAULT | FIELD_SHRINK,
			   .help = "reference of what it waits for" },
	[WAITS_AMONG] = { .name = "among",
			  .type = FIELD_BOOL,
			  .help = "it is one of several that the call waits for" },
	[WAITS_SINCE] = { .name = "since",
			  .type = FIELD_TIME,
			  .flags = FIELD_ON_DEMAND,
			  .help = "when its thread ran last, to a second or so; absent: not told" },
	[WAITS_BLOCKED_BY] = { .name = "blocked_by",
			       .type = FIELD_STR,
			       .flags = FIELD_DEFAULT | FIELD_SHRINK,
			       .help = "who could release it, the first of them" },
	[WAITS_RELEASERS] = { .name = "releasers",
			      .type = FIELD_LIST,
			      .items = &releaser_schema,
			      .help = "each of those, at most 64" },
	[WAITS_VERDICT] = { .name = "verdict",
			    .type = FIELD_STR,
			    .flags = FIELD_DEFAULT,
			    .values = wait_verdict_values,
			    .help = "whether it can ever end" },
	[WAITS_CYCLE] = { .name = "cycle",
			  .type = FIELD_U64,
			  .help = "number of the deadlock that it is part of" },
};

const struct schema wait_schema = { "wait", fields, ARRAY_SIZE(fields) };

/* The projection under way. */
struct projection {
	const struct wait_graph *g;
	struct projector *p;
	struct record *r;
	struct list *list; /* releasers, or NULL: not wanted */
	struct buf named;
	size_t count;
};

static const struct process *process_of(struct projection *p, uint32_t pid)
{
	const struct process *process = process_get(&p->p->processes, p->p->snapshot->context, pid);

	return process && process->error == 0 ? process : NULL;
}

static int add_releaser(void *data, const struct releaser *r)
{
	struct projection *p = data;
	const struct process *process;
	struct record row;

	p->count++;
	if (p->count > MOST_LISTED)
		return 0;
	process = process_of(p, r->pid);
	if (p->count <= MOST_NAMED) {
		buf_printf(&p->named, "%s%u", p->count > 1 ? ", " : "", r->pid);
		if (process) {
			buf_putc(&p->named, ' ');
			buf_put_span(&p->named, process->command);
		}
	}
	if (!p->list)
		return 0;
	if (list_append(p->r, p->list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, RELEASER_PID, r->pid);
	if (r->tid)
		record_u64(&row, RELEASER_TID, r->tid);
	if (process)
		record_str(&row, RELEASER_COMMAND, process->command);
	record_text(&row, RELEASER_WHY, why_values[r->why]);
	record_bool(&row, RELEASER_WAITS, wait_graph_waits(p->g, r->pid, r->tid));
	return 0;
}

static int project_releasers(struct projection *p, const struct wait *w)
{
	struct span text;
	int e;

	p->list = wants(p->p->want, WAITS_RELEASERS) ? record_list(p->r, WAITS_RELEASERS) : NULL;
	if (wants(p->p->want, WAITS_RELEASERS) && !p->list)
		return -ENOMEM;
	e = wait_each_releaser(p->g, w, add_releaser, p);
	if (e < 0 || p->count == 0)
		return e;
	if (p->count > MOST_NAMED)
		buf_printf(&p->named, " and %zu more", p->count - MOST_NAMED);
	text = arena_span(p->r->arena, buf_span(&p->named));
	if (p->named.failed || !text.ptr)
		return -ENOMEM;
	record_str(p->r, WAITS_BLOCKED_BY, text);
	return 0;
}

int wait_project(struct projector *projector, const struct wait_graph *g, size_t i, struct record *r)
{
	struct projection projection = { .g = g, .p = projector, .r = r }, *p = &projection;
	const struct wait *w = &g->waits[i];
	const struct awaited *o = &g->objects[w->object];
	const struct process *process = process_of(p, w->pid);
	struct span user;
	uint64_t slept;
	int e = 0;

	record_u64(r, WAITS_PID, w->pid);
	if (w->tid)
		record_u64(r, WAITS_TID, w->tid);
	if (process) {
		record_i64(r, WAITS_START, process->start);
		record_str(r, WAITS_COMMAND, process->command);
		record_u64(r, WAITS_UID, process->uid);
		if (wants(projector->want, WAITS_USER) &&
		    users_uid_name(&projector->users, process->uid, &user) == 0)
			record_str(r, WAITS_USER, user);
	}
	record_text(r, WAITS_CALL, w->call);
	if (w->operation.len > 0)
		record_str(r, WAITS_OPERATION, w->operation);
	record_text(r, WAITS_KIND, o->kind->name);
	record_str(r, WAITS_OBJECT, o->ref);
	record_bool(r, WAITS_AMONG, w->among);
	record_text(r, WAITS_VERDICT, wait_verdict_values[w->verdict]);
	if (w->cycle)
		record_u64(r, WAITS_CYCLE, w->cycle);
	if (wants(projector->want, WAITS_SINCE) &&
	    task_slept(projector->snapshot->context, w->pid, w->tid, &slept) == 0)
		record_i64(r, WAITS_SINCE, (int64_t)time(NULL) - (int64_t)slept);
	if (wants_any(projector->want, WAITS_BLOCKED_BY, WAITS_RELEASERS))
		e = project_releasers(p, w);
	buf_free(&projection.named);
	return e == 0 && (r->arena->failed || projector_failed(projector)) ? -ENOMEM : e;
}
