/* SPDX-License-Identifier: MIT */
/* FIFOs, also called named pipes: fifo(7). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kind/fifo_openers.h"
#include "kind/path.h"
#include "kind/pipe_end.h"
#include "kind/reclaim.h"
#include "kind/registry.h"
#include "kind/waiting.h"
#include "kind/whereabouts.h"
#include "scan/cached.h"

enum {
	FIFO_KIND,
	FIFO_REF,
	FIFO_PATH,
	FIFO_DEVICE,
	FIFO_INODE,
	FIFO_OWNER,
	FIFO_GROUP,
	FIFO_UID,
	FIFO_GID,
	FIFO_MODE,
	FIFO_ATIME,
	FIFO_MTIME,
	FIFO_CTIME,
	FIFO_AGE,
	FIFO_DELETED,
	FIFO_READERS,
	FIFO_WRITERS,
	FIFO_PACKET,
	FIFO_QUEUED,
	FIFO_CAPACITY,
	FIFO_ENDS,
	FIFO_NOPENERS,
	FIFO_OPENERS,
	FIFO_WAITERS,
	FIFO_WAITING,
	FIFO_NHOLDERS,
	FIFO_HOLDERS,
	FIFO_STATE,
	FIFO_REASON,
	FIFO_EVIDENCE,
};

static const struct field fields[] = {
	[FIFO_KIND] = COMMON_KIND("fifo"),
	[FIFO_REF] = COMMON_REF,
	[FIFO_PATH] = { .name = "path",
			.type = FIELD_STR,
			.flags = FIELD_SHRINK,
			.help = "path, as it was opened or named" },
	[FIFO_DEVICE] = { .name = "device", .type = FIELD_STR, .help = "device number, MAJOR:MINOR" },
	[FIFO_INODE] = { .name = "inode",
			 .type = FIELD_U64,
			 .flags = FIELD_IDENTITY,
			 .help = "inode number" },
	HELD_STAT_FIELDS(FIFO, FIELD_DEFAULT | FIELD_MIXED),
	[FIFO_DELETED] = { .name = "deleted",
			   .type = FIELD_BOOL,
			   .help = "unlinked, and kept by its holders only" },
	[FIFO_READERS] = PIPE_READERS,
	[FIFO_WRITERS] = PIPE_WRITERS,
	[FIFO_PACKET] = PIPE_PACKET,
	[FIFO_QUEUED] = PIPE_QUEUED,
	[FIFO_CAPACITY] = PIPE_CAPACITY,
	[FIFO_ENDS] = PIPE_ENDS,
	[FIFO_NOPENERS] = { .name = "nopeners",
			    .type = FIELD_U64,
			    .flags = FIELD_ON_DEMAND,
			    .sources = SOURCE_OPENERS,
			    .help = "tasks blocked in open(2) of it" },
	[FIFO_OPENERS] = { .name = "openers",
			   .type = FIELD_LIST,
			   .flags = FIELD_ON_DEMAND,
			   .sources = SOURCE_OPENERS,
			   .items = &fifo_opener_schema,
			   .help = "each of those" },
	[FIFO_WAITERS] = COMMON_WAITERS,
	[FIFO_WAITING] = COMMON_WAITING,
	[FIFO_NHOLDERS] = COMMON_NHOLDERS,
	[FIFO_HOLDERS] = COMMON_HOLDERS,
	[FIFO_STATE] = COMMON_STATE,
	[FIFO_REASON] = COMMON_REASON,
	[FIFO_EVIDENCE] = COMMON_EVIDENCE_FROM(SOURCE_HOLDERS | SOURCE_OPENERS),
	WHEREABOUTS,
};

static const struct schema schema = { "fifo", fields, ARRAY_SIZE(fields) };

static const struct held_fields held_fields = {
	FIFO_KIND, FIFO_REF, { FIFO_NHOLDERS, FIFO_HOLDERS }, FIFO_STATE, FIFO_REASON
};
static const struct stat_fields stat_fields = HELD_STAT_AT(FIFO);
static const struct pipe_fields pipe_fields = { FIFO_READERS, FIFO_WRITERS,  FIFO_PACKET,
						FIFO_QUEUED,  FIFO_CAPACITY, FIFO_ENDS };

/* Indices: first those that somebody holds, then the files that were looked for. */
static size_t count(const struct snapshot *s)
{
	return held_count(s, OBJECT_FIFO) + s->paths.count;
}

static const struct holding *held(const struct snapshot *s, size_t i)
{
	return i < held_count(s, OBJECT_FIFO) ? object_holding(&s->holders, OBJECT_FIFO, i) : NULL;
}

static struct object_key key_at(const struct snapshot *s, size_t i)
{
	const struct holding *first = held(s, i);
	const struct path_file *file;

	if (first)
		return holding_key(first);
	file = &s->paths.items[i - held_count(s, OBJECT_FIFO)];
	return (struct object_key){ OBJECT_FIFO, file->dev, file->ino };
}

/* A file that somebody holds is listed once, with its holders. */
static bool owns(const struct snapshot *s, size_t i)
{
	struct object_key key;

	if (held(s, i))
		return true;
	key = key_at(s, i);
	return S_ISFIFO(s->paths.items[i - held_count(s, OBJECT_FIFO)].mode) &&
	       !holders_find(&s->holders, &key);
}

/* Whether a path leads to the FIFO for us too; no file system is waited for. */
static bool leads_there(struct span path, const struct object_key *key)
{
	struct object_key found;
	struct statx stx;

	if (path.len == 0 || lookup_cached(AT_FDCWD, path.ptr, false, false, &stx) < 0)
		return false;
	found = (struct object_key){ OBJECT_FIFO, makedev(stx.stx_dev_major, stx.stx_dev_minor),
				     stx.stx_ino };
	return object_same(&found, key);
}

/* Where it lies: as the user named it, else as its holder opened it. */
static void project_names(struct projector *p, struct record *r, const struct object_key *key,
			  const struct found_file *file)
{
	const struct path_file *named = path_files_find(&p->snapshot->paths, key->dev, key->ino);
	struct span path = named ? named->path : file ? file->path : (struct span){ 0 };

	if (path.len > 0)
		record_str(r, FIFO_PATH, path);
	else
		record_unknown_why(r, FIFO_PATH, WHY_TOO_LONG);
	if (named || (wants(p->want, FIFO_REF) && file && !file->deleted && leads_there(path, key)))
		record_path_ref(r, FIFO_REF, path);
	else
		record_file_ref(r, FIFO_REF, key);
	record_device(r, FIFO_DEVICE, key->dev);
	record_u64(r, FIFO_INODE, key->ino);
	record_bool(r, FIFO_DELETED, !named && file && file->deleted);
}

/* Of one that nobody has open. Nothing says who may come back to it. */
static void project_state(struct projector *p, struct record *r, const struct object_key *key,
			  const struct holding_count *found)
{
	const struct openers *openers = &p->snapshot->openers;
	const struct opener *o = openers_next(openers, key, NULL);

	if (o)
		record_state(p, r, FIFO_STATE, "in-use", FIFO_REASON,
			     "process %u waits in open(2) for the other end", o->pid);
	else if (found->processes == 0 && found->known && openers->looked && openers->complete)
		record_state(p, r, FIFO_STATE, "stale", FIFO_REASON,
			     "nobody has it open or waits to open it");
}

/* What processes tell: the kernel itself keeps no list of users. */
static void project_evidence(struct projector *p, struct record *r, const struct object_key *key,
			     const struct holding_count *found)
{
	const struct openers *openers = &p->snapshot->openers;
	const struct opener *o = openers_next(openers, key, NULL);

	if (found->processes > 0)
		record_evidence(p, r, FIFO_EVIDENCE, "holders", SHOWS_USE, "%llu process%s",
				(unsigned long long)found->processes, found->processes == 1 ? "" : "es");
	else
		record_evidence(p, r, FIFO_EVIDENCE, "holders", SHOWS_NOTHING, "none%s",
				found->all ? "" : " in sight");
	if (o)
		record_evidence(p, r, FIFO_EVIDENCE, "tasks in open(2)", SHOWS_USE, "%u", o->pid);
	else
		record_evidence(p, r, FIFO_EVIDENCE, "tasks in open(2)", SHOWS_NOTHING, "none%s",
				openers->looked && openers->complete && !p->snapshot->holders.hidden ?
					"" :
					" in sight");
}

static int project(struct projector *p, size_t i, struct record *r)
{
	static const struct waiting_fields waiting = { FIFO_WAITERS, FIFO_WAITING };
	static const struct opener_fields opener_at = { FIFO_NOPENERS, FIFO_OPENERS };
	const struct snapshot *s = p->snapshot;
	const struct holding *first = held(s, i);
	struct object_key key = key_at(s, i);
	const struct found_file *file = first ? holders_file(&s->holders, &key) : NULL;
	struct holding_count found;

	if (held_project(p, r, &held_fields, first, &pipe_roles, &found) < 0 ||
	    record_waiting(p, r, &waiting, &key) < 0)
		return -ENOMEM;
	project_names(p, r, &key, file);
	if (first)
		record_found(p, r, &stat_fields, file);
	else
		record_path_stat(p, r, &stat_fields, path_files_find(&s->paths, key.dev, key.ino));
	if (wants_any(p->want, FIFO_STATE, FIFO_REASON) && !first)
		project_state(p, r, &key, &found);
	project_evidence(p, r, &key, &found);
	if (wants_any(p->want, FIFO_NOPENERS, FIFO_OPENERS) &&
	    fifo_openers_project(p, r, &opener_at, &key) < 0)
		return -ENOMEM;
	/* One that was let go meanwhile is still a file, without a queue. */
	(void)pipe_project(p, r, &pipe_fields, first, &found);
	return 0;
}

static int narrow(struct span id, struct scan_request *request)
{
	if (!span_starts(id, "/"))
		return 0;
	request->sources |= SOURCE_PATHS;
	return name_list_add(&request->files, id);
}

static int resolve(struct snapshot *s, struct span id, struct matches *m, struct report *report)
{
	struct object_key key = { .class = OBJECT_FIFO };
	const struct path_file *file;

	if (span_starts(id, "/")) {
		file = path_files_named(&s->paths, id);
		if (!file)
			return path_unreached(id, m);
		if (!S_ISFIFO(file->mode))
			return 0;
		key.dev = file->dev;
		key.ino = file->ino;
		if (holders_find(&s->holders, &key))
			return held_match(s, &key, m);
		return matches_add(m, held_count(s, OBJECT_FIFO) + (size_t)(file - s->paths.items));
	}
	if (parse_file_key(id, &key.dev, &key.ino) < 0) {
		report_text(report, "expected a path, such as fifo:/run/x, or fifo:MAJOR:MINOR:INODE");
		return -EINVAL;
	}
	return held_match(s, &key, m);
}

static int remove_fifo(struct snapshot *s, size_t i, struct report *report)
{
	struct object_key key = key_at(s, i);
	const struct path_file *named = path_files_find(&s->paths, key.dev, key.ino);
	const struct found_file *file = holders_file(&s->holders, &key);
	uint64_t readers = 0;
	int r;

	if (!named && (!file || file->deleted || !leads_there(file->path, &key))) {
		report_text(report, "no path leads to it from here; it goes with its last holder");
		return -ENOTSUP;
	}
	r = path_unlink(named ? named->path.ptr : file->path.ptr, key.dev, key.ino, report);
	for (const struct holding *g = held(s, i); g; g = holding_next(&s->holders, g))
		readers++;
	if (r == 0 && readers > 0)
		report_text(report, "%llu descriptor%s still open", (unsigned long long)readers,
			    plural(readers));
	return r;
}

/* It is stale at most: nobody has it open, or waits in open(2), a moment ago. */
static int reclaim(struct projector *p, size_t i, const struct reclaim *rules, struct report *report)
{
	const struct object_key key = key_at(p->snapshot, i);
	const struct path_file *named = path_files_find(&p->snapshot->paths, key.dev, key.ino);
	const struct snapshot *now = rules->now;
	int e = -EBUSY;

	if (!named)
		return PROJECT_SKIP;
	if (!rules->stale)
		report_text(report, "it is stale at most");
	else if (!now || !now->holders.walked || now->holders.unreadable || now->holders.hidden ||
		 !now->openers.looked || !now->openers.complete)
		report_text(report, "not every process could be looked at");
	else if (holders_find(&now->holders, &key) || openers_next(&now->openers, &key, NULL))
		report_text(report, "somebody has it open, or is about to");
	else
		e = nobody_is_left(p, named->uid, named->uid, report);
	return e < 0 ? e : path_unlink(named->path.ptr, key.dev, key.ino, report);
}

static int create(const struct create_args *args, struct report *report)
{
	int r = report_ref(report, "fifo:%s", args->name);

	return r < 0 ? r : path_create(args, S_IFIFO, report);
}

static const struct opt create_opts[] = {
	CREATE_OPT_MODE,
	CREATE_OPT_OWNER,
	CREATE_OPT_EXIST_OK,
};

const struct kind kind_fifo = {
	.name = "fifo",
	.groups = GROUP_FD,
	.title = "FIFO (named pipe)",
	.identifier = "path",
	.handle = "file descriptors",
	.persistence = "until unlinked; its data until the last descriptor is closed",
	.access = "mode of the file",
	.source = "/proc/PID/fd, stat(2)",
	.create_means = "mkfifo(3)",
	.remove_means = "unlink(2); those who have it open keep it",
	.reference = "fifo:/path, fifo:MAJOR:MINOR:INODE",
	.schema = &schema,
	.fill_field = "queued",
	.room_field = "capacity",
	.sources = SOURCE_FIFO | SOURCE_PATHS,
	.narrow = narrow,
	.count = count,
	.owns = owns,
	.project = project,
	.resolve = resolve,
	.create_opts = create_opts,
	.ncreate_opts = ARRAY_SIZE(create_opts),
	.name_arg = "PATH",
	.create = create,
	.remove = remove_fifo,
	.reclaim = reclaim,
	.channel = &pipe_channel,
	.remover = CAP_FOWNER,
	.held = held,
};
