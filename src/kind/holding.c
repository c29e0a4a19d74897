/* SPDX-License-Identifier: MIT */
#include "kind/holding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	HOLDER_PID,
	HOLDER_START,
	HOLDER_COMMAND,
	HOLDER_USER,
	HOLDER_TID,
	HOLDER_FD,
	HOLDER_ADDRESS,
	HOLDER_OFFSET,
	HOLDER_ACCESS,
	HOLDER_ROLE,
};

const char *const access_values[] = { "none", "read", "write", "read-write", NULL };

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
	[HOLDER_OFFSET] = { .name = "offset",
			    .type = FIELD_U64,
			    .help = "where in the object the mapping begins" },
	[HOLDER_ACCESS] = { .name = "access",
			    .type = FIELD_STR,
			    .values = access_values,
			    .help = "what it may do" },
	[HOLDER_ROLE] = { .name = "role", .type = FIELD_STR, .help = "what it is to the object" },
};

const struct schema holder_schema = { "holders", fields, ARRAY_SIZE(fields) };

struct holding_count holding_count_from(struct projector *p, const struct holding *first)
{
	const struct holders *h = &p->snapshot->holders;
	struct holding_count count = { .all = h->walked && !h->unreadable && !h->hidden };
	uint32_t last = NO_HOLDING;

	for (const struct holding *g = first; g; g = holding_next(h, g)) {
		/* The holdings of one process stand together. */
		count.processes += g->holder != last;
		count.mappings += g->fd < 0;
		count.readers += g->fd >= 0 && g->access & ACCESS_READ;
		count.writers += g->fd >= 0 && g->access & ACCESS_WRITE;
		last = g->holder;
	}
	/* Somebody in a PID namespace that is not shown may hold it too; but where all
	 * that is shown was read, whoever is found there is counted. */
	count.known = count.processes > 0 ? h->walked && !h->unreadable : count.all;
	return count;
}

void record_found_number(struct record *r, size_t field, uint64_t n, const struct holding_count *count)
{
	if (n > 0 ? count->known : count->all)
		record_u64(r, field, n);
	else
		record_unknown_why(r, field, WHY_TOLD);
}

void record_known_number(struct record *r, size_t field, uint64_t n, const struct holding_count *count)
{
	if (count->known)
		record_u64(r, field, n);
	else
		record_unknown_why(r, field, WHY_TOLD);
}

struct holding_count holding_count(struct projector *p, const struct object_key *key)
{
	return holding_count_from(p, holders_find(&p->snapshot->holders, key));
}

/* Whether a descriptor is one of O_PATH: its link in /proc allows nothing. */
static bool is_path_only(struct projector *p, const struct holding *g)
{
	const struct holder *holder = &p->snapshot->holders.items[g->holder];
	struct stat st;
	char path[64];

	if (p->snapshot->sources & SOURCE_ACCESS)
		return (g->access & (ACCESS_READ | ACCESS_WRITE)) == 0;
	if (g->tid)
		snprintf(path, sizeof(path), "%u/task/%u/fd/%d", holder->pid, g->tid, g->fd);
	else
		snprintf(path, sizeof(path), "%u/fd/%d", holder->pid, g->fd);
	return fstatat(p->snapshot->context->proc, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !(st.st_mode & (S_IRUSR | S_IWUSR));
}

const struct holder *holding_paths_only(struct projector *p, const struct object_key *key)
{
	const struct holders *h = &p->snapshot->holders;
	const struct holding *first = holders_find(h, key);

	for (const struct holding *g = first; g; g = holding_next(h, g))
		if (g->fd < 0 || !is_path_only(p, g))
			return NULL;
	return first ? &h->items[first->holder] : NULL;
}

void record_held_state(struct projector *p, struct record *r, size_t state, size_t reason, bool deleted,
		       const struct holding_count *found)
{
	if (found->processes > 0)
		record_state(p, r, state, "in-use", reason, "%sheld by %s%llu process%s",
			     deleted ? "deleted, " : "", found->known ? "" : "at least ",
			     (unsigned long long)found->processes, found->processes == 1 ? "" : "es");
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
	if (g->access & ACCESS_MASTER)
		return roles->master;
	if (g->access == 0) /* opened with O_PATH: it reaches no data */
		return "open";
	if (g->access == (ACCESS_READ | ACCESS_WRITE))
		return roles->both;
	return g->access == ACCESS_WRITE ? roles->writer : roles->reader;
}

static int add_row(struct projector *p, struct record *r, struct list *list, const struct holding *g,
		   const struct holding_roles *roles)
{
	const struct holders *holders = &p->snapshot->holders;
	const struct holder *h = holding_holder(holders, g);
	const struct range *range = holding_range(holders, g);
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
	if (g->tid && !range)
		record_u64(&row, HOLDER_TID, g->tid);
	if (range) {
		record_printf(&row, HOLDER_ADDRESS, "%llx-%llx", (unsigned long long)range->start,
			      (unsigned long long)range->end);
		record_u64(&row, HOLDER_OFFSET, range->offset);
	} else {
		record_u64(&row, HOLDER_FD, (uint64_t)g->fd);
	}
	record_text(&row, HOLDER_ACCESS, access_values[g->access & (ACCESS_READ | ACCESS_WRITE)]);
	record_text(&row, HOLDER_ROLE, role_of(g, roles));
	return 0;
}

int holders_list(struct projector *p, struct record *r, struct list *list, const struct holding *first,
		 const struct holding_roles *roles)
{
	for (const struct holding *g = first; g; g = holding_next(&p->snapshot->holders, g))
		if (add_row(p, r, list, g, roles) < 0)
			return -ENOMEM;
	return 0;
}

int record_holders_from(struct projector *p, struct record *r, const struct holding_fields *at,
			const struct holding *first, const struct holding_count *count,
			const struct holding_roles *roles)
{
	struct list *list;

	/* Either nobody asked, or the walk's own warning says what is missing. The rows that
	 * were found stand; how many there are in all is not known. */
	if (count->known)
		record_u64(r, at->nholders, count->processes);
	else
		record_unknown_why(r, at->nholders, WHY_TOLD);
	if (!p->snapshot->holders.walked || (count->processes == 0 && !count->known)) {
		record_unknown_why(r, at->holders, WHY_TOLD);
		return 0;
	}
	if (!wants(p->want, at->holders))
		return 0;
	list = record_list(r, at->holders);
	return list ? holders_list(p, r, list, first, roles) : -ENOMEM;
}

int record_holders(struct projector *p, struct record *r, const struct holding_fields *at,
		   const struct object_key *key, const struct holding_count *count,
		   const struct holding_roles *roles)
{
	return record_holders_from(p, r, at, holders_find(&p->snapshot->holders, key), count, roles);
}
