/* SPDX-License-Identifier: MIT */
#include "kind/holding.h"

#include <errno.h>

enum {
	HOLDER_PID,
	HOLDER_START,
	HOLDER_COMMAND,
	HOLDER_USER,
	HOLDER_TID,
	HOLDER_FD,
	HOLDER_ADDRESS,
	HOLDER_ACCESS,
	HOLDER_ROLE,
};

static const char *const access_values[] = { "none", "read", "write", "read-write", NULL };

static const struct field fields[] = {
	[HOLDER_PID] = { .name = "pid", .type = FIELD_PID, .help = "process" },
	[HOLDER_START] = { .name = "start_time", .type = FIELD_TIME, .help = "when it was started" },
	[HOLDER_COMMAND] = { .name = "command",
			     .type = FIELD_STR,
			     .flags = FIELD_SHRINK,
			     .help = "its command" },
	[HOLDER_USER] = { .name = "user", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "its user" },
	[HOLDER_TID] = { .name = "tid",
			 .type = FIELD_PID,
			 .help = "thread whose own table the descriptor is in; absent: the process's" },
	[HOLDER_FD] = { .name = "fd", .type = FIELD_U64, .help = "descriptor; absent: it is a mapping" },
	[HOLDER_ADDRESS] = { .name = "address", .type = FIELD_STR, .help = "addresses of the mapping" },
	[HOLDER_ACCESS] = { .name = "access",
			    .type = FIELD_STR,
			    .values = access_values,
			    .help = "what it may do" },
	[HOLDER_ROLE] = { .name = "role", .type = FIELD_STR, .help = "what it is to the object" },
};

const struct schema holder_schema = { "holders", fields, ARRAY_SIZE(fields) };

struct holding_count holding_count(struct projector *p, const struct object_key *key)
{
	const struct holders *h = &p->snapshot->holders;
	struct holding_count count = { .known = h->walked && !h->unreadable && !h->hidden };
	uint32_t last = NO_HOLDING;

	for (const struct holding *g = holders_find(h, key); g; g = holding_next(h, g)) {
		/* The holdings of one process stand together. */
		count.processes += g->holder != last;
		count.mappings += g->fd < 0;
		last = g->holder;
	}
	/* Somebody in a PID namespace that is not shown may hold it too; but where all
	 * that is shown was read, whoever is found there is counted. */
	if (count.processes > 0)
		count.known = h->walked && !h->unreadable;
	return count;
}

void record_held_state(struct projector *p, struct record *r, size_t state, size_t reason, bool deleted,
		       const struct holding_count *found)
{
	if (found->processes > 0)
		record_state(p, r, state, "in-use", reason, "%sheld by %llu process%s",
			     deleted ? "deleted, " : "", (unsigned long long)found->processes,
			     found->processes == 1 ? "" : "es");
	else if (!p->snapshot->holders.walked)
		record_state(p, r, state, "unknown", reason, "holders were not looked for");
	else if (!found->known)
		record_state(p, r, state, "unknown", reason,
			     "no process was found to hold it, but not every one could be read");
	else
		record_state(p, r, state, "unknown", reason, "no process was found to hold it");
}

static const char *role_of(const struct holding *g, const struct holding_roles *roles)
{
	if (g->fd < 0)
		return roles->mapped;
	if (g->access == (ACCESS_READ | ACCESS_WRITE))
		return roles->both;
	return g->access == ACCESS_WRITE ? roles->writer : roles->reader;
}

static int add_row(struct projector *p, struct record *r, struct list *list, const struct holding *g,
		   const struct holding_roles *roles)
{
	const struct holder *h = &p->snapshot->holders.items[g->holder];
	struct record row;
	struct span user;
	int e = users_uid_name(&p->users, h->uid, &user);

	if (list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, HOLDER_PID, h->pid);
	record_i64(&row, HOLDER_START, h->start);
	record_str(&row, HOLDER_COMMAND, h->command);
	if (e < 0)
		record_unknown(&row, HOLDER_USER, e);
	else
		record_str(&row, HOLDER_USER, user);
	if (g->tid)
		record_u64(&row, HOLDER_TID, g->tid);
	if (g->fd >= 0)
		record_u64(&row, HOLDER_FD, (uint64_t)g->fd);
	else
		record_printf(&row, HOLDER_ADDRESS, "%llx-%llx", (unsigned long long)g->start,
			      (unsigned long long)g->end);
	record_text(&row, HOLDER_ACCESS, access_values[g->access]);
	record_text(&row, HOLDER_ROLE, role_of(g, roles));
	return 0;
}

int record_holders(struct projector *p, struct record *r, const struct holding_fields *at,
		   const struct object_key *key, const struct holding_count *count,
		   const struct holding_roles *roles)
{
	const struct holders *h = &p->snapshot->holders;
	struct list *list;

	/* Either nobody asked, or the walk's own warning says what is missing. The rows that
	 * were found stand; how many there are in all is not known. */
	if (count->known)
		record_u64(r, at->nholders, count->processes);
	else
		record_unknown_why(r, at->nholders, WHY_TOLD);
	if (!h->walked || (count->processes == 0 && !count->known)) {
		record_unknown_why(r, at->holders, WHY_TOLD);
		return 0;
	}
	if (!wants(p->want, at->holders))
		return 0;
	list = record_list(r, at->holders);
	if (!list)
		return -ENOMEM;
	for (const struct holding *g = holders_find(h, key); g; g = holding_next(h, g))
		if (add_row(p, r, list, g, roles) < 0)
			return -ENOMEM;
	return 0;
}
