/* SPDX-License-Identifier: MIT */
/* POSIX named semaphores: files sem.NAME in /dev/shm (sem_overview(7)). */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>

#include "kind/registry.h"
#include "kind/shmfile.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"

#define MUSL_PREFIX "musl:" /* in a reference: the file is called NAME, not sem.NAME */

enum {
	SEM_LAYOUT = FILE_NEXT,
	SEM_VALUE,
	SEM_WAITERS,
	SEM_WAITING,
	SEM_UNSEEN,
};

static const char *const layout_values[] = {
	[LAYOUT_NONE] = "none",	      [LAYOUT_GLIBC_64] = "glibc-64", [LAYOUT_GLIBC_32] = "glibc-32",
	[LAYOUT_MUSL_64] = "musl-64", [LAYOUT_MUSL_32] = "musl-32",   NULL,
};

static const struct field fields[] = {
	SHMFILE_FIELDS("posix-sem", 0, 0),
	[SEM_LAYOUT] = { .name = "layout",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT,
			 .values = layout_values,
			 .help = "whose semaphore it is; none: it is no semaphore" },
	[SEM_VALUE] = { .name = "value", .type = FIELD_U64, .flags = FIELD_DEFAULT, .help = "its value" },
	[SEM_WAITERS] = { .name = "waiters",
			  .type = FIELD_U64,
			  .flags = FIELD_DEFAULT | FIELD_GAUGE,
			  .help = "tasks that wait, as its memory says; killed ones stay counted" },
	[SEM_WAITING] = { .name = "waiting",
			  .type = FIELD_LIST,
			  .flags = FIELD_ON_DEMAND,
			  .sources = SOURCE_FUTEX,
			  .items = &waiting_schema,
			  .help = "each task in sight that waits: process, thread, system call" },
	[SEM_UNSEEN] = COMMON_UNSEEN_WAITERS(SOURCE_FUTEX),
	WHEREABOUTS_SHM,
};

static const struct schema schema = { "posix-sem", fields, ARRAY_SIZE(fields) };

static size_t count(const struct snapshot *s)
{
	return s->shm.count;
}

static bool owns(const struct snapshot *s, size_t i)
{
	return shm_entry_reads_as_semaphore(&s->shm.items[i]);
}

static bool is_certain(const struct snapshot *s, size_t i)
{
	return !s->shm.items[i].maybe_musl;
}

static int project_value(struct projector *p, const struct shm_entry *e, struct record *r)
{
	struct semaphore sem = { .layout = LAYOUT_NONE };
	int error;

	if (e->deleted) {
		for (size_t f = SEM_LAYOUT; f <= SEM_WAITERS; f++)
			record_unknown_why(r, f, WHY_NO_NAME);
		return 0;
	}
	error = S_ISREG(e->mode) ? shmtree_read_semaphore(&p->snapshot->shm, e, &sem) : 0;

	if (error < 0)
		return shmfile_unreadable(r, SEM_LAYOUT, SEM_WAITERS, error);
	record_text(r, SEM_LAYOUT, layout_values[sem.layout]);
	if (sem.layout != LAYOUT_NONE) {
		record_u64(r, SEM_VALUE, sem.value);
		record_u64(r, SEM_WAITERS, sem.waiters);
	}
	return 0;
}

/* Its memory counts those that were killed, too: who really waits, tasks tell. */
static int project_waiting(struct projector *p, const struct shm_entry *e, struct record *r)
{
	const struct memory_object object = { { OBJECT_FILE, e->dev, e->ino }, 0 };
	const struct value *count = &r->values[SEM_WAITERS];
	uint64_t found;
	bool asked;

	if (record_futex_waiting(p, r, SEM_WAITING, &object, &found, &asked) < 0)
		return -ENOMEM;
	record_unseen(p, r, SEM_UNSEEN, SEM_WAITERS, found, asked);
	/* None, as whoever waits would have noted there. */
	if (found == 0 && count->state == VALUE_SET && count->u64 == 0 && wants(p->want, SEM_WAITING))
		return record_list(r, SEM_WAITING) ? 0 : -ENOMEM;
	return 0;
}

static int project(struct projector *p, size_t i, struct record *r)
{
	const struct shm_entry *e = &p->snapshot->shm.items[i];
	bool prefixed = shm_entry_is_semaphore(e);
	int error = shmfile_project(p, r, e, prefixed ? "" : MUSL_PREFIX, prefixed ? strlen("sem.") : 0);

	if (error == 0 && wants_any(p->want, SEM_LAYOUT, SEM_UNSEEN))
		error = project_value(p, e, r);
	if (error == 0 && wants_any(p->want, SEM_WAITING, SEM_UNSEEN))
		error = project_waiting(p, e, r);
	return error;
}

/* The file that a reference or NAME means, appended to path. 0 or -EINVAL. */
static int file_name(struct span id, struct buf *path, struct report *report)
{
	bool musl = span_starts(id, MUSL_PREFIX);
	struct span name;
	int r = shmfile_name(musl ? span_from(id, strlen(MUSL_PREFIX)) : id, false, &name, report);

	if (r < 0)
		return r;
	if (!musl)
		buf_puts(path, "sem.");
	buf_put_span(path, name);
	return buf_cstr(path) ? 0 : -ENOMEM;
}

static int narrow(struct span id, struct scan_request *request)
{
	bool musl = span_starts(id, MUSL_PREFIX);
	struct span name = musl ? span_from(id, strlen(MUSL_PREFIX)) : id;
	char *path;

	if (span_starts(id, "inode=")) {
		request->sources |= SOURCE_HOLDERS;
		return 0;
	}
	if (span_starts(name, "/"))
		name = span_from(name, 1);
	path = arena_alloc(&request->arena, name.len + 5);
	if (!path)
		return -ENOMEM;
	memcpy(path, "sem.", 4);
	memcpy(path + 4, name.ptr, name.len);
	path[name.len + 4] = '\0';
	return name_list_add(&request->shm_names, musl ? name : (struct span){ path, name.len + 4 });
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	_cleanup_(buf_free) struct buf path = { 0 };
	int64_t i = shmfile_find_inode(&s->shm, id);

	if (i == -EINVAL) {
		i = file_name(id, &path, report);
		if (i == 0)
			i = shmtree_find(&s->shm, buf_span(&path));
	}

	return matches_found(m, i);
}

static int remove_file(struct snapshot *s, size_t i, struct report *report)
{
	return shmfile_remove(s, i, "semaphore", report);
}

/* What this libc's sem_open(3) calls the file. */
static const char *libc_prefix(void)
{
#ifdef __GLIBC__
	return "sem.";
#else
	return "";
#endif
}

static int create(const struct create_args *args, struct report *report)
{
	_cleanup_(buf_free) struct buf path = { 0 };
	struct span name;
	sem_t sem;
	int r = shmfile_name(span_of(args->name ? args->name : ""), false, &name, report);

	if (r < 0)
		return r;
	buf_puts(&path, libc_prefix());
	buf_put_span(&path, name);
	if (!buf_cstr(&path))
		return -ENOMEM;
	report->usage = true;
	if (path.len > NAME_MAX) {
		report_text(report, "the name is longer than %d bytes",
			    (int)(NAME_MAX - strlen(libc_prefix())));
		return -EINVAL;
	}
	/* SEM_VALUE_MAX is a constant of every libc for Linux. */
	if (args->value.value > INT32_MAX) {
		report_text(report, "--value must be 0 to %d", INT32_MAX);
		return -EINVAL;
	}
	report->usage = false;
	/* The libc lays it out, as its sem_open(3) would; padding included. */
	memset(&sem, 0, sizeof(sem));
	if (sem_init(&sem, 1, (unsigned)args->value.value) < 0)
		return -errno;
	r = shmfile_create(path.data, &sem, sizeof(sem), sizeof(sem), args, report);
	if (r == -EEXIST && args->exist_ok)
		r = shmfile_accept(path.data, "semaphore", args, report);
	if (r < 0)
		return r;
	return report_ref(report, "posix-sem:%s/%s", libc_prefix()[0] ? "" : MUSL_PREFIX, name.ptr);
}

static const struct opt create_opts[] = {
	{ .name = "value",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, value),
	  .help = "initial value (default 0)" },
	CREATE_OPT_MODE,
	CREATE_OPT_OWNER,
	CREATE_OPT_EXIST_OK,
};

static void limit_value_max(struct snapshot *s _unused_, struct limit_value *out)
{
	out->limit = value_u64(INT32_MAX);
}

static const struct limit limits[] = {
	{ "sem-value-max", FIELD_U64, "value of one semaphore", "built in", "sem_post: EOVERFLOW", false, 0,
	  limit_value_max },
};

const struct kind kind_posix_sem = {
	.name = "posix-sem",
	.groups = GROUP_POSIX | GROUP_PERSISTENT,
	.letter = 'S',
	.title = "POSIX named semaphore",
	.identifier = "name",
	.handle = "address of the mapped semaphore",
	.persistence = "until unlinked and unused, or reboot",
	.access = "mode and owner of the file",
	.source = "/dev/shm/sem.*",
	.create_means = "sem_open(3)",
	.remove_means = "sem_unlink(3); those who have it open keep it",
	.reference = "posix-sem:/NAME, posix-sem:musl:/NAME, posix-sem:inode=N (deleted)",
	.schema = &schema,
	.sources = SOURCE_SHMTREE,
	.namespace = "mntns",
	.narrow = narrow,
	.count = count,
	.owns = owns,
	.is_certain = is_certain,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "NAME",
	.create = create,
	.remove = remove_file,
	.reclaim = shmfile_reclaim,
	.shown_by = CAPABILITY(CAP_DAC_READ_SEARCH),
	.remover = CAP_FOWNER,
	.held = shmfile_held,
	.limits = limits,
	.nlimits = ARRAY_SIZE(limits),
};
