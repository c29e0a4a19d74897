/* SPDX-License-Identifier: MIT */
/* Event counters: eventfd(2). */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "kind/held.h"
#include "kind/registry.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "scan/fdinfo.h"

enum {
	EVENT_KIND,
	EVENT_REF,
	EVENT_ID,
	EVENT_COUNT,
	EVENT_SEMAPHORE,
	EVENT_WAITERS,
	EVENT_WAITING,
	EVENT_NHOLDERS,
	EVENT_HOLDERS,
	EVENT_STATE,
	EVENT_REASON,
};

static const struct field fields[] = {
	[EVENT_KIND] = COMMON_KIND("eventfd"),
	[EVENT_REF] = COMMON_REF,
	[EVENT_ID] = { .name = "id", .type = FIELD_U64, .help = "eventfd-id; given again when it is free" },
	[EVENT_COUNT] = { .name = "count",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT,
			  .help = "value of the counter" },
	[EVENT_SEMAPHORE] = { .name = "semaphore",
			      .type = FIELD_BOOL,
			      .help = "reads take one from it, not all (EFD_SEMAPHORE)" },
	[EVENT_WAITERS] = COMMON_WAITERS,
	[EVENT_WAITING] = COMMON_WAITING,
	[EVENT_NHOLDERS] = COMMON_NHOLDERS,
	[EVENT_HOLDERS] = COMMON_HOLDERS,
	[EVENT_STATE] = COMMON_STATE,
	[EVENT_REASON] = COMMON_REASON,
	WHEREABOUTS,
};

static const struct schema schema = { "eventfd", fields, ARRAY_SIZE(fields) };

static const struct held_fields held_fields = {
	EVENT_KIND, EVENT_REF, { EVENT_NHOLDERS, EVENT_HOLDERS }, EVENT_STATE, EVENT_REASON
};

static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_EVENTFD);
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return object_holding(&s->holders, OBJECT_EVENTFD, i);
}

static int project_counter(struct projector *p, const struct holding *first, struct record *r)
{
	struct fdinfo info;
	uint64_t value, semaphore;
	int e = object_fdinfo(p->snapshot, first, &info);

	if (e < 0)
		return held_unreadable(p, r, EVENT_COUNT, EVENT_SEMAPHORE, e);
	if (fdinfo_hex(&info, "eventfd-count:", &value) == 0)
		record_u64(r, EVENT_COUNT, value);
	else
		record_unknown(r, EVENT_COUNT, EBADMSG);
	if (fdinfo_number(&info, "eventfd-semaphore:", &semaphore) == 0)
		record_bool(r, EVENT_SEMAPHORE, semaphore != 0);
	else
		record_unknown_why(r, EVENT_SEMAPHORE, WHY_KERNEL_TOO_OLD); /* before Linux 6.5 */
	return 0;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct holding_roles roles = { "open", "open", "open", NULL, NULL };
	static const struct waiting_fields waiting = { EVENT_WAITERS, EVENT_WAITING };
	const struct holding *first = held(p->snapshot, i);
	struct object_key key = holding_key(first);
	struct holding_count found;

	if (held_project(p, r, &held_fields, first, &roles, &found) < 0 ||
	    record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	record_number_ref(r, EVENT_REF, first->ino);
	record_u64(r, EVENT_ID, first->ino);
	return wants_any(p->want, EVENT_COUNT, EVENT_SEMAPHORE) ? project_counter(p, first, r) : 0;
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return held_resolve(s, OBJECT_EVENTFD, id, "an eventfd-id, such as eventfd:12", m, report);
}

/* Its id, as the kernel gave it. */
static int own_id(int fd, uint64_t *id)
{
	struct fdinfo info;
	char name[12];
	int r;

	snprintf(name, sizeof(name), "%d", fd);
	r = fdinfo_read_own(&info, name);
	return r < 0 ? r : fdinfo_number(&info, "eventfd-id:", id);
}

static int create(const struct create_args *args, struct report *report)
{
	uint64_t id, value = args->value.value;
	int r, fd;

	if (value == UINT64_MAX)
		return report_usage(report, "--value may be at most 18446744073709551614");
	fd = eventfd(0, EFD_CLOEXEC | (args->semaphore ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return -errno;
	report_made(report, fd, "IPCCTL_FD");
	/* eventfd(2) itself takes 32 bits only. */
	if (value > 0 && write(fd, &value, sizeof(value)) != sizeof(value))
		return -errno;
	r = own_id(fd, &id);
	if (r < 0) {
		report_text(report, "this kernel does not tell which eventfd it is");
		return r;
	}
	return report_ref(report, "eventfd:%llu", (unsigned long long)id);
}

static const struct opt create_opts[] = {
	{ .name = "value",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, value),
	  .help = "value of the counter (default 0)" },
	{ .name = "semaphore",
	  .type = OPT_FLAG,
	  .offset = offsetof(struct create_args, semaphore),
	  .help = "each read takes one from it, not all" },
};

const struct kind kind_eventfd = {
	.name = "eventfd",
	.groups = GROUP_FD,
	.title = "Event counter (eventfd)",
	.identifier = "eventfd-id",
	.handle = "file descriptors",
	.persistence = "until the last descriptor is closed",
	.access = "whoever was given a descriptor",
	.source = "/proc/PID/fdinfo",
	.create_means = "eventfd(2), handed to COMMAND",
	.remove_means = "not possible from outside; --kill signals its holders",
	.reference = "eventfd:ID",
	.schema = &schema,
	.sources = SOURCE_EVENTFD,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.transient = true,
	.create = create,
	.irremovable = only_holders_end_it,
	.held = held,
};
