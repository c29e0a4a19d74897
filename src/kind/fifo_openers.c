/* SPDX-License-Identifier: MIT */
#include "kind/fifo_openers.h"

#include <errno.h>

#include "kind/holding.h"

enum { OPENER_PID, OPENER_START, OPENER_COMMAND, OPENER_USER, OPENER_TID, OPENER_ACCESS };

static const struct field fields[] = {
	[OPENER_PID] = { .name = "pid", .type = FIELD_PID, .help = "process" },
	[OPENER_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[OPENER_COMMAND] = { .name = "command",
			     .type = FIELD_STR,
			     .flags = FIELD_SHRINK,
			     .help = "its command" },
	[OPENER_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[OPENER_TID] = { .name = "tid", .type = FIELD_PID, .help = "the thread that waits" },
	[OPENER_ACCESS] = { .name = "access",
			    .type = FIELD_STR,
			    .values = access_values,
			    .help = "what it opens it for" },
};

const struct schema fifo_opener_schema = { "openers", fields, ARRAY_SIZE(fields) };

static int add_opener(struct projector *p, struct record *r, struct list *list, const struct opener *o)
{
	const struct process *process = process_get(&p->processes, p->snapshot->context, o->pid);
	struct record row;
	struct span user;

	if (!process || list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, OPENER_PID, o->pid);
	record_u64(&row, OPENER_TID, o->tid);
	record_text(&row, OPENER_ACCESS, access_values[o->access]);
	if (users_uid_name(&p->users, o->uid, &user) == 0)
		record_str(&row, OPENER_USER, user);
	if (process->error == 0) {
		record_i64(&row, OPENER_START, process->start);
		record_str(&row, OPENER_COMMAND, process->command);
	}
	return 0;
}

int fifo_openers_project(struct projector *p, struct record *r, const struct opener_fields *at,
			 const struct object_key *key)
{
	const struct openers *openers = &p->snapshot->openers;
	struct list *list;
	uint64_t n = 0;

	for (const struct opener *o = NULL; (o = openers_next(openers, key, o)) != NULL;)
		n++;
	/* Whoever is hidden may wait, too; but as with holders, those who are found count. */
	if (openers->complete && (n > 0 || !p->snapshot->holders.hidden)) {
		record_u64(r, at->nopeners, n);
	} else if (openers->complete) {
		record_unknown_why(r, at->nopeners, WHY_TOLD);
	} else {
		record_unknown(r, at->nopeners, EPERM);
		if (n == 0) {
			record_unknown(r, at->openers, EPERM);
			return 0;
		}
	}
	list = record_list(r, at->openers);
	if (!list)
		return -ENOMEM;
	for (const struct opener *o = NULL; (o = openers_next(openers, key, o)) != NULL;)
		if (add_opener(p, r, list, o) < 0)
			return -ENOMEM;
	return 0;
}
