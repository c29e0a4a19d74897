/* SPDX-License-Identifier: MIT */
/* System V shared memory segments: shmget(2), shmop(2), shmctl(2). */
#include <errno.h>

#include "kind/content.h"
#include "kind/holding.h"
#include "kind/registry.h"
#include "kind/sysv.h"
#include "kind/sysv_attach.h"
#include "kind/sysv_shm_limits.h"
#include "kind/sysv_verdict.h"
#include "kind/whereabouts.h"
#include "lib/capability.h"
#include "scan/attach.h"
#include "scan/sysv_abi.h"

#define HUGE_SHIFT 26 /* SHM_HUGE_SHIFT: log2 of the huge page's size goes here */

enum {
	SHM_SIZE = SYSV_NEXT,
	SHM_NATTCH,
	SHM_CPID,
	SHM_CPID_COMMAND,
	SHM_LPID,
	SHM_LPID_COMMAND,
	SHM_ATIME,
	SHM_DTIME,
	SHM_CTIME,
	SHM_RSS_BYTES,
	SHM_SWAP_BYTES,
	SHM_DESTROY,
	SHM_LOCK_FLAG,
	SHM_HUGETLB_FLAG,
	SHM_HUGE_PAGE_SIZE,
	SHM_NORESERVE_FLAG,
	SHM_NHOLDERS,
	SHM_HOLDERS,
	SHM_AGE,
	SHM_STATE,
	SHM_REASON,
	SHM_EVIDENCE,
	SHM_CONTENT,
	SHM_CONTENT_READ,
};

static const struct field fields[] = {
	SYSV_HEAD_FIELDS("sysv-shm"),
	[SHM_SIZE] = { .name = "size",
		       .type = FIELD_BYTES,
		       .flags = FIELD_DEFAULT | FIELD_MIXED | FIELD_GAUGE | FIELD_IDENTITY,
		       .help = "size asked for" },
	[SHM_NATTCH] = { .name = "nattch",
			 .type = FIELD_U64,
			 .flags = FIELD_DEFAULT | FIELD_GAUGE,
			 .help = "mappings of it (a process may have several)" },
	[SHM_CPID] = { .name = "cpid",
		       .type = FIELD_PID,
		       .flags = FIELD_DEFAULT | FIELD_IDENTITY,
		       .help = "process that created it" },
	[SHM_CPID_COMMAND] = { .name = "cpid_command",
			       .type = FIELD_STR,
			       .flags = FIELD_SHRINK,
			       .help = "its command, if it is alive" },
	[SHM_LPID] = { .name = "lpid",
		       .type = FIELD_PID,
		       .flags = FIELD_DEFAULT,
		       .help = "process that last attached or detached" },
	[SHM_LPID_COMMAND] = { .name = "lpid_command",
			       .type = FIELD_STR,
			       .flags = FIELD_SHRINK,
			       .help = "its command, if it is alive" },
	[SHM_ATIME] = { .name = "atime", .type = FIELD_TIME, .help = "last attach" },
	[SHM_DTIME] = { .name = "dtime", .type = FIELD_TIME, .help = "last detach" },
	[SHM_CTIME] = { .name = "ctime", .type = FIELD_TIME, .help = "creation or last change by IPC_SET" },
	[SHM_RSS_BYTES] = { .name = "rss",
			    .type = FIELD_BYTES,
			    .flags = FIELD_GAUGE,
			    .help = "resident memory" },
	[SHM_SWAP_BYTES] = { .name = "swap",
			     .type = FIELD_BYTES,
			     .flags = FIELD_GAUGE,
			     .help = "swapped out" },
	[SHM_DESTROY] = { .name = "dest", .type = FIELD_BOOL, .help = "removed; goes with the last detach" },
	[SHM_LOCK_FLAG] = { .name = "locked", .type = FIELD_BOOL, .help = "may not be swapped out" },
	[SHM_HUGETLB_FLAG] = { .name = "hugetlb",
			       .type = FIELD_BOOL,
			       .flags = FIELD_ON_DEMAND,
			       .sources = SOURCE_HOLDERS,
			       .help = "made of huge pages" },
	[SHM_HUGE_PAGE_SIZE] = { .name = "huge_page_size",
				 .type = FIELD_BYTES,
				 .flags = FIELD_ON_DEMAND,
				 .sources = SOURCE_HOLDERS,
				 .help = "size of those" },
	[SHM_NORESERVE_FLAG] = { .name = "noreserve",
				 .type = FIELD_BOOL,
				 .flags = FIELD_ON_DEMAND,
				 .sources = SOURCE_HOLDERS,
				 .help = "no swap space was reserved" },
	[SHM_NHOLDERS] = COMMON_NHOLDERS,
	[SHM_HOLDERS] = COMMON_HOLDERS,
	[SHM_AGE] = COMMON_AGE,
	[SHM_STATE] = COMMON_STATE,
	[SHM_REASON] = COMMON_REASON,
	[SHM_EVIDENCE] = COMMON_EVIDENCE,
	[SHM_CONTENT] = { .name = "content",
			  .type = FIELD_LIST,
			  .flags = FIELD_EXPLICIT,
			  .sources = SOURCE_HOLDERS,
			  .items = &content_schema,
			  .help = "bytes of the segment (--content)" },
	[SHM_CONTENT_READ] = COMMON_CONTENT_READ,
	WHEREABOUTS_IPC,
};

static const struct schema schema = { "sysv-shm", fields, ARRAY_SIZE(fields) };

static const struct attach_fields attach_fields = { SHM_HUGETLB_FLAG, SHM_HUGE_PAGE_SIZE, SHM_NORESERVE_FLAG,
						    SHM_CONTENT, SHM_CONTENT_READ };

static size_t count(const struct snapshot *s)
{
	return s->sysv[SYSV_SHM].count;
}

static int64_t newest_time(const struct sysv_shm_row *row)
{
	return newer(row->ctime, newer(row->atime, row->dtime));
}

static void project_memory(struct projector *p, const struct sysv_shm_row *row, struct record *r)
{
	const struct sysv_table *t = &p->snapshot->sysv[SYSV_SHM];
	uint64_t huge = 0, rss = row->rss;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int e = row->rss > row->size ? huge_pages_read(&p->huge_pages) : 0;

	if (row->rss > row->size)
		rss = sysv_shm_rss(row, page, p->huge_pages.sizes, p->huge_pages.count, &huge);
	if (e < 0)
		record_unknown(r, SHM_RSS_BYTES, e);
	else if (sysv_has_column(t, "rss"))
		record_u64(r, SHM_RSS_BYTES, rss);
	else
		record_unknown(r, SHM_RSS_BYTES, EOPNOTSUPP);
	if (sysv_has_column(t, "swap"))
		record_u64(r, SHM_SWAP_BYTES, row->swap);
	else
		record_unknown(r, SHM_SWAP_BYTES, EOPNOTSUPP);
	if (huge) {
		record_bool(r, SHM_HUGETLB_FLAG, true);
		record_u64(r, SHM_HUGE_PAGE_SIZE, huge);
	}
}

static const struct holding *first_holding(const struct snapshot *s, const struct sysv_shm_row *row)
{
	return attach_holding(&s->holders, s->ipcns, &row->perm);
}

/*
 * The kernel counts the mappings: if the walk found as many, it found all holders,
 * whatever else it could not read; and none is none.
 */
static int project_holders(struct projector *p, const struct sysv_shm_row *row, struct record *r)
{
	static const struct holding_fields at = { SHM_NHOLDERS, SHM_HOLDERS };
	static const struct holding_roles roles = { .mapped = "attached" };
	const struct holding *first = first_holding(p->snapshot, row);
	struct holding_count found = holding_count_from(p, first);

	found.known = found.mappings == row->nattch;
	return record_holders_from(p, r, &at, first, &found, &roles);
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct verdict_fields state_fields = { SHM_STATE, SHM_REASON, SHM_EVIDENCE };
	const struct sysv_shm_row *row = sysv_shm_at(&p->snapshot->sysv[SYSV_SHM], i);

	sysv_project(p, r, &row->perm);
	record_u64(r, SHM_SIZE, row->size);
	record_u64(r, SHM_NATTCH, row->nattch);
	record_pid(p, r, SHM_CPID, row->cpid, row->ctime);
	record_pid(p, r, SHM_LPID, row->lpid, newer(row->atime, row->dtime));
	record_time(r, SHM_ATIME, row->atime);
	record_time(r, SHM_DTIME, row->dtime);
	record_time(r, SHM_CTIME, row->ctime);
	record_bool(r, SHM_DESTROY, row->perm.perms & SYSV_SHM_DEST);
	record_bool(r, SHM_LOCK_FLAG, row->perm.perms & SYSV_SHM_LOCKED);
	record_age(p, r, SHM_AGE, newest_time(row));
	if (wants_any(p->want, SHM_RSS_BYTES, SHM_SWAP_BYTES) ||
	    wants_any(p->want, SHM_HUGETLB_FLAG, SHM_HUGE_PAGE_SIZE))
		project_memory(p, row, r);
	if (wants_verdict(p, &state_fields))
		sysv_shm_judge(p, row, r, &state_fields);
	if (wants_any(p->want, SHM_NHOLDERS, SHM_HOLDERS) && project_holders(p, row, r) < 0)
		return -ENOMEM;
	if (wants_any(p->want, SHM_HUGETLB_FLAG, SHM_NORESERVE_FLAG) ||
	    wants_any(p->want, SHM_CONTENT, SHM_CONTENT_READ))
		return sysv_attach_project(p, row, r, &attach_fields);
	return 0;
}

/* Only shmat(2) does. */
static bool enters(const struct projector *p, const struct snapshot *view)
{
	return wants(p->want, SHM_CONTENT) && view->depth.content && view->depth.attach;
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	return sysv_resolve(&s->sysv[SYSV_SHM], id, m, report);
}

static int remove_segment(struct snapshot *s, size_t i, struct report *report)
{
	const struct sysv_shm_row *row = sysv_shm_at(&s->sysv[SYSV_SHM], i);
	int id = (int)row->perm.id;
	struct shmid_ds ds = { 0 };
	int r = shmctl(id, SHM_STAT_ANY, &ds);

	/* It looks only at the slot, and answers with the id that is there. */
	if (r < 0)
		return sysv_removed(r);
	if (r != id)
		return -ENOENT;
	if (sysv_compare(&ds.shm_perm, &row->perm) < 0 || (uint32_t)ds.shm_cpid != row->cpid)
		return -ESTALE;
	r = sysv_removed(shmctl(id, IPC_RMID, NULL));
	if (r == 0 && ds.shm_nattch > 0)
		report_text(report, "marked for destruction, %lu attached", (unsigned long)ds.shm_nattch);
	return r;
}

/* Where more mappings were found than the kernel counts, some are of a segment of another
 * IPC namespace: then none of them is named. */
static const struct holding *held(const struct snapshot *s, size_t i)
{
	const struct sysv_shm_row *row = sysv_shm_at(&s->sysv[SYSV_SHM], i);
	const struct holding *first = first_holding(s, row);
	uint64_t mappings = 0;

	for (const struct holding *g = first; g; g = holding_next(&s->holders, g))
		mappings++;
	return mappings > row->nattch ? NULL : first;
}

static int get_segment(key_t key, int flags, const struct create_args *args)
{
	if (args->huge_page_size.set)
		flags |= SHM_HUGETLB |
			 (int)((unsigned)__builtin_ctzll(args->huge_page_size.value) << HUGE_SHIFT);
	return shmget(key, (size_t)args->size.value, flags);
}

static int finish_segment(int id, const struct create_args *args, uint32_t uid, uint32_t gid,
			  struct report *report)
{
	struct shmid_ds ds = { 0 };

	if (!args->owner)
		return 0;
	if (shmctl(id, IPC_STAT, &ds) < 0)
		return -errno;
	sysv_set_perm(&ds.shm_perm, uid, gid, create_mode(args));
	if (shmctl(id, IPC_SET, &ds) < 0) {
		int r = -errno;

		report_text(report, "--owner '%s'", args->owner);
		return r;
	}
	return 0;
}

static void discard_segment(int id)
{
	shmctl(id, IPC_RMID, NULL);
}

static int create(const struct create_args *args, struct report *report)
{
	static const struct sysv_maker maker = { "sysv-shm", get_segment, finish_segment, discard_segment };
	uint64_t huge = args->huge_page_size.value;
	int r;

	if (!args->size.set || args->size.value == 0 || args->size.value > SIZE_MAX)
		return report_usage(report, args->size.set ? "--size must be 1 or more, and fit into memory" :
							     "--size is needed: how many bytes");
	if (args->huge_page_size.set && (huge == 0 || (huge & (huge - 1)) != 0)) {
		return report_usage(report, "--huge-page-size must be a power of two, such as 2M");
	}
	r = sysv_create(&maker, args, report);
	if (report->text.ptr)
		return r;
	if (r == -ENOSPC)
		report_text(report, "shmmni or shmall is reached; see 'ipcctl limits sysv-shm'");
	else if (r == -EINVAL)
		report_text(report,
			    args->huge_page_size.set ?
				    "the size is over shmmax, or there are no huge pages of that size" :
				    "the size is over shmmax; see 'ipcctl limits sysv-shm'");
	else if (r == -ENOMEM && args->huge_page_size.set)
		report_text(report, "not enough free huge pages; see /proc/sys/vm/nr_hugepages");
	return r;
}

static const struct opt create_opts[] = {
	{ .name = "size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, size),
	  .help = "bytes, or with K M G T (needed)" },
	{ .name = "huge-page-size",
	  .type = OPT_SIZE,
	  .arg = "SIZE",
	  .offset = offsetof(struct create_args, huge_page_size),
	  .help = "make it of huge pages of this size, such as 2M" },
	SYSV_CREATE_OPTS,
};

const struct kind kind_sysv_shm = {
	.name = "sysv-shm",
	.groups = GROUP_SYSV | GROUP_PERSISTENT | GROUP_MEMORY,
	.letter = 'm',
	.key_letter = 'M',
	.key_option = "sysv-shm-key",
	.title = "System V shared memory segment",
	.identifier = "key (32 bits) or id",
	.handle = "id; address once attached",
	.persistence = "until removed or reboot",
	.access = "mode, owner and creator; CAP_IPC_OWNER",
	.source = "/proc/sysvipc/shm",
	.create_means = "shmget(2)",
	.remove_means = "IPC_RMID; memory goes with the last detach",
	.reference = "sysv-shm:ID, sysv-shm:key=KEY",
	.schema = &schema,
	.bytes_field = "size",
	.sources = SOURCE_SYSV_SHM,
	.namespace = "ipcns",
	.numbered = true,
	.enters = enters,
	.count = count,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.create = create,
	.remove = remove_segment,
	.reclaim = sysv_shm_reclaim,
	.shown_by = CAPABILITY(CAP_SYS_PTRACE) | CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_IPC_OWNER),
	.remover = CAP_SYS_ADMIN,
	.held = held,
	.limits = sysv_shm_limits,
	.nlimits = SYSV_SHM_NLIMITS,
};
