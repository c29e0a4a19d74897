/* SPDX-License-Identifier: MIT */
#include "scan/scan.h"

#include <errno.h>

#include "lib/parallel.h"
#include "scan/blocked.h"

void scan_request_free(struct scan_request *request)
{
	name_list_free(&request->shm_names);
	name_list_free(&request->queue_names);
	name_list_free(&request->directories);
	name_list_free(&request->files);
	arena_free(&request->arena);
}

static int take_sysv(struct snapshot *s, enum sysv_kind kind, struct warnings *warnings)
{
	static const char *const subjects[] = { "sysvipc/shm", "sysvipc/sem", "sysvipc/msg" };
	struct sysv_table *t = &s->sysv[kind];
	bool own = s->context->own_proc;
	/* Only the text of shm tells rss and swap. */
	int r = own && kind != SYSV_SHM ? sysv_table_stat(t, false) : -EOPNOTSUPP;

	if (r < 0 && r != -ENOMEM)
		r = s->context->proc < 0 ? -ENOENT : sysv_table_read(t, s->context->proc);
	/* No /proc, or one without the tables (subset=pid). */
	if (own && (r == -ENOENT || r == -EACCES) && sysv_table_stat(t, true) == 0)
		r = 0;
	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind],
							  .error = EACCES,
							  .text = "not in this /proc (no System V IPC in the "
								  "kernel, or mounted with subset=pid)" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind], .error = -r });
	if (t->bad_rows)
		warnings_add(warnings,
			     &(struct warning){ .subject = subjects[kind],
						.error = EBADMSG,
						.text = "rows that could not be understood are left out" });
	return 0;
}

/* names: NULL if nothing in it is wanted. */
static int take_shmtree(struct snapshot *s, const struct name_list *names, struct warnings *warnings)
{
	int r = names ? shmtree_read(&s->shm, names, warnings) : shmtree_open(&s->shm);

	if (r == -ENOMEM)
		return r;
	/* Without /dev/shm there are no segments: nothing is hidden. */
	if (r == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = "/dev/shm", .text = "does not exist" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = "/dev/shm", .error = -r });
	return 0;
}

static int take_mqueue(struct snapshot *s, const struct name_list *names, struct warnings *warnings)
{
	int r = mqueue_read(&s->queues, s->context->proc, names);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOSYS)
		warnings_add(warnings, &(struct warning){ .subject = "posix-mq",
							  .text = "the kernel has no POSIX queues" });
	else if (r == -EPERM || r == -EACCES)
		warnings_add(warnings,
			     &(struct warning){ .subject = "posix-mq",
						.error = EPERM,
						.text = "message queues cannot be seen: that takes "
							"CAP_SYS_ADMIN or a mounted mqueue file system" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = "posix-mq", .error = -r });
	else if (s->queues.uncertain)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "posix-mq",
					   .error = EPERM,
					   .text = "nothing proves that the mounted mqueue file system is "
						   "that of this IPC namespace" });
	return 0;
}

static int take_sockets(struct snapshot *s, enum source source, struct warnings *warnings)
{
	if (!s->context->own_proc) {
		warnings_add(
			warnings,
			&(struct warning){ .subject = source == SOURCE_UNIX ? "unix-socket" : "inet-socket",
					   .error = EPERM,
					   .text = "sockets of another system cannot be listed" });
		return 0;
	}
	return source == SOURCE_UNIX ?
		       unix_sockets_read(&s->unix_sockets, s->sources & SOURCE_PEERS, warnings) :
		       inet_sockets_read(&s->inet_sockets, warnings);
}

/* One source, gathered by whichever thread is free; its warnings are its own. */
struct job {
	enum source source;
	struct warnings warnings;
	int result;
};

/* The walk over processes needs what the first find; the rest is gathered beside it. */
struct gathering {
	struct snapshot *snapshot;
	const struct scan_request *request;
	struct job first[3], rest[9];
	size_t nfirst, nrest;
};

static unsigned threads_of(const struct scan_request *request)
{
	return request->threads ? request->threads : processor_count();
}

static void add_job(struct gathering *g, enum source source)
{
	if (g->snapshot->sources & SOURCES_WALKED &&
	    source & (SOURCE_SHMTREE | SOURCE_MQUEUE | SOURCE_SHMROOT))
		g->first[g->nfirst++].source = source;
	else
		g->rest[g->nrest++].source = source;
}

static void gather(struct gathering *g, struct job *job)
{
	struct snapshot *s = g->snapshot;
	struct warnings *w = &job->warnings;
	int *r = &job->result;

	switch (job->source) {
	case SOURCE_SYSV_SHM:
		*r = take_sysv(s, SYSV_SHM, w);
		break;
	case SOURCE_SYSV_SEM:
		*r = take_sysv(s, SYSV_SEM, w);
		break;
	case SOURCE_SYSV_MSG:
		*r = take_sysv(s, SYSV_MSG, w);
		break;
	case SOURCE_SHMTREE:
		*r = take_shmtree(s, &g->request->shm_names, w);
		break;
	case SOURCE_MQUEUE:
		*r = take_mqueue(s, &g->request->queue_names, w);
		break;
	case SOURCE_SHMROOT:
		*r = take_shmtree(s, NULL, w);
		break;
	case SOURCE_UNIX:
	case SOURCE_INET:
		*r = take_sockets(s, job->source, w);
		break;
	case SOURCE_PATHS:
		*r = path_files_read(&s->paths, &g->request->directories, &g->request->files, w);
		break;
	default: /* the walk needs what the others found */
		break;
	}
}

static void gather_first(void *context, unsigned thread _unused_, size_t i)
{
	struct gathering *g = context;

	gather(g, &g->first[i]);
}

static void gather_rest(void *context, unsigned thread _unused_, size_t i)
{
	struct gathering *g = context;

	gather(g, &g->rest[i]);
}

/* Takes over what one job had to say; its result, or r if that is an error already. */
static int end_job(struct gathering *g, struct job *job, int r, struct warnings *warnings)
{
	if (job->warnings.incomplete)
		g->snapshot->failed |= job->source;
	if (!(job->source & g->request->incidental))
		warnings_merge(warnings, &job->warnings);
	warnings_free(&job->warnings);
	return r < 0 ? r : job->result;
}

static int end_jobs(struct gathering *g, int r, struct warnings *warnings)
{
	for (size_t i = 0; i < g->nfirst; i++)
		r = end_job(g, &g->first[i], r, warnings);
	for (size_t i = 0; i < g->nrest; i++)
		r = end_job(g, &g->rest[i], r, warnings);
	return r;
}

/* Objects that no name leads to any more, but a holder: entries of their own. */
static int add_nameless(struct snapshot *s)
{
	const struct holders *h = &s->holders;

	for (size_t i = 0; i < h->classes[OBJECT_FILE].count; i++) {
		struct object_key key = holding_key(object_holding(h, OBJECT_FILE, i));
		const struct found_file *file = holders_file(h, &key);
		int r = 0;

		if (!file || !file->deleted)
			continue;
		if (s->sources & SOURCE_SHMTREE && key.dev == s->shm.dev)
			r = shmtree_add_nameless(&s->shm, file);
		else if (s->sources & SOURCE_MQUEUE)
			r = mqueue_add_nameless(&s->queues, file);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What the walk is to look for, from the sources that were asked for. */
static unsigned walk_classes(unsigned sources)
{
	static const struct {
		enum source source; /* alone, or with SOURCE_HOLDERS */
		bool holders;
		enum object_class class;
	} map[] = {
		{ SOURCE_PIPE, false, OBJECT_PIPE },
		{ SOURCE_FIFO, false, OBJECT_FIFO },
		{ SOURCE_MEMFD, false, OBJECT_MEMFD },
		{ SOURCE_EVENTFD, false, OBJECT_EVENTFD },
		{ SOURCE_PTY, false, OBJECT_PTY },
		{ SOURCE_FILE_MAPPING, false, OBJECT_FILE_MAPPING },
		{ SOURCE_ANON_MAPPING, false, OBJECT_ANON_MAPPING },
		{ SOURCE_UNIX, true, OBJECT_SOCKET },
		{ SOURCE_INET, true, OBJECT_SOCKET },
		{ SOURCE_SYSV_SHM, true, OBJECT_SYSV },
		{ SOURCE_SHMTREE, true, OBJECT_FILE },
		{ SOURCE_MQUEUE, true, OBJECT_FILE },
		{ SOURCE_FUTEX, false, OBJECT_FILE },
		{ SOURCE_FUTEX, false, OBJECT_SYSV },
		{ SOURCE_FUTEX, false, OBJECT_MEMFD },
		{ SOURCE_FUTEX, false, OBJECT_FILE_MAPPING },
		{ SOURCE_FUTEX, false, OBJECT_ANON_MAPPING },
	};
	unsigned classes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (sources & map[i].source && (!map[i].holders || sources & SOURCE_HOLDERS))
			classes |= 1U << map[i].class;
	return classes;
}

/* beside: what the walk does not need, and its threads are to gather too. */
static int take_holders(struct snapshot *s, const struct scan_request *request,
			const struct parallel_work *beside, struct warnings *warnings)
{
	struct holders_request walk = { .classes = walk_classes(s->sources),
					.access = s->sources & SOURCE_ACCESS,
					.own_proc = s->context->own_proc && s->context->own_pids,
					.threads = request->threads,
					.beside = beside };
	struct warnings found = { 0 };
	uint64_t devices[2], shm = s->shm.dev;
	struct stat st;
	int r;

	if (s->sources & SOURCE_SHMTREE && s->shm.root >= 0)
		devices[walk.ndevices++] = s->shm.dev;
	walk.mapped_files = walk.ndevices > 0; /* a queue cannot be mapped */
	if (s->sources & SOURCE_MQUEUE && s->queues.root >= 0 && fstat(s->queues.root, &st) == 0)
		devices[walk.ndevices++] = st.st_dev;
	walk.devices = devices;
	if (walk.ndevices == 0)
		walk.classes &= ~(1U << OBJECT_FILE);
	if (s->shm.root >= 0 && s->shm.exact) {
		walk.excluded = &shm;
		walk.nexcluded = 1;
	}
	if (walk.classes == 0) {
		parallel_run(beside, threads_of(request));
		return 0;
	}
	r = holders_walk(&s->holders, s->context->proc, &walk, &found);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		warnings_add(&found, &(struct warning){ .subject = "/proc", .error = -r });
	if (found.incomplete)
		s->failed |= s->sources & SOURCES_WALKED;
	warnings_merge(warnings, &found);
	warnings_free(&found);
	return r < 0 ? 0 : add_nameless(s);
}

static unsigned wanted_sources(const struct scan_request *request)
{
	return request->depth.no_processes ? request->sources & ~(unsigned)SOURCES_WALKED : request->sources;
}

/* Objects that processes alone show are there, but were not to be looked for. */
static void tell_not_looked(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	warnings_add(warnings,
		     &(struct warning){ .subject = "--no-holders",
					.error = EPERM,
					.text = "objects that only their holders show are left out" });
	s->failed |= request->sources & SOURCES_HELD;
}

int snapshot_take(struct snapshot *s, const struct scan_context *context, const struct scan_request *request,
		  struct warnings *warnings)
{
	/* The slowest first, so that the last to finish is a short one. */
	static const enum source order[] = { SOURCE_UNIX,     SOURCE_SHMTREE,  SOURCE_SYSV_MSG,
					     SOURCE_SYSV_SEM, SOURCE_SYSV_SHM, SOURCE_INET,
					     SOURCE_PATHS,    SOURCE_MQUEUE };
	struct gathering g = { .snapshot = s, .request = request };
	struct warnings found = { 0 };
	struct parallel_work rest;
	int r = 0;

	*s = (struct snapshot){
		.context = context,
		.depth = request->depth,
		.sources = wanted_sources(request),
		.shm.root = -1,
		.queues.root = -1,
	};
	if (request->depth.no_processes && request->sources & SOURCES_HELD)
		tell_not_looked(s, request, warnings);
	for (enum sysv_kind kind = SYSV_SHM; kind <= SYSV_MSG; kind++)
		s->sysv[kind].kind = kind;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (s->sources & order[i])
			add_job(&g, order[i]);
	if (s->sources & SOURCE_SHMROOT && !(s->sources & SOURCE_SHMTREE))
		add_job(&g, SOURCE_SHMROOT);
	parallel_run(&(struct parallel_work){ gather_first, &g, g.nfirst }, threads_of(request));
	rest = (struct parallel_work){ gather_rest, &g, g.nrest };
	if (s->sources & SOURCES_WALKED)
		r = take_holders(s, request, &rest, &found);
	else
		parallel_run(&rest, threads_of(request));
	r = end_jobs(&g, r, warnings);
	warnings_merge(warnings, &found);
	warnings_free(&found);
	if (r == 0)
		r = blocked_take(s, threads_of(request), warnings);
	s->taken = time(NULL);
	return r;
}

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->sysv); i++)
		sysv_table_free(&s->sysv[i]);
	shmtree_free(&s->shm);
	mqueue_free(&s->queues);
	unix_sockets_free(&s->unix_sockets);
	inet_sockets_free(&s->inet_sockets);
	path_files_free(&s->paths);
	tasks_free(&s->tasks);
	openers_free(&s->openers);
	futexes_free(&s->futexes);
	holders_free(&s->holders);
}

void projector_free(struct projector *p)
{
	users_free(&p->users);
	processes_free(&p->processes);
}
