/* SPDX-License-Identifier: MIT */
#include "scan/scan.h"

#include <errno.h>

#include "lib/parallel.h"
#include "scan/sources.h"

void scan_request_free(struct scan_request *request)
{
	name_list_free(&request->shm_names);
	name_list_free(&request->queue_names);
	name_list_free(&request->directories);
	name_list_free(&request->files);
	name_list_free(&request->processes);
	arena_free(&request->arena);
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
	struct job first[4], rest[9];
	size_t nfirst, nrest;
};

static unsigned threads_of(const struct scan_request *request)
{
	return request->threads ? request->threads : processor_count();
}

static void add_job(struct gathering *g, enum source source)
{
	if (g->snapshot->sources & SOURCES_WALKED &&
	    source & (SOURCE_SHMTREE | SOURCE_MQUEUE | SOURCE_SHMROOT | SOURCE_LOCKS))
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
		*r = source_sysv(s, SYSV_SHM, w);
		break;
	case SOURCE_SYSV_SEM:
		*r = source_sysv(s, SYSV_SEM, w);
		break;
	case SOURCE_SYSV_MSG:
		*r = source_sysv(s, SYSV_MSG, w);
		break;
	case SOURCE_SHMTREE:
		*r = source_shmtree(s, &g->request->shm_names, w);
		break;
	case SOURCE_MQUEUE:
		*r = source_mqueue(s, &g->request->queue_names, w);
		break;
	case SOURCE_SHMROOT:
		*r = source_shmtree(s, NULL, w);
		break;
	case SOURCE_UNIX:
	case SOURCE_INET:
		*r = source_sockets(s, job->source, w);
		break;
	case SOURCE_PATHS:
		*r = path_files_read(&s->paths, &g->request->directories, &g->request->files, w);
		break;
	case SOURCE_LOCKS:
		*r = source_locks(s, w);
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
		{ SOURCE_LOCKS, true, OBJECT_LOCK },
		{ SOURCE_UNIX, true, OBJECT_SOCKET },
		{ SOURCE_INET, true, OBJECT_SOCKET },
		{ SOURCE_SYSV_SHM, true, OBJECT_SYSV },
		{ SOURCE_SHMTREE, true, OBJECT_FILE },
		{ SOURCE_MQUEUE, true, OBJECT_FILE },
	};
	unsigned classes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (sources & map[i].source && (!map[i].holders || sources & SOURCE_HOLDERS))
			classes |= 1U << map[i].class;
	return classes;
}

/* What processes are asked for, and the devices that the request points to. */
struct quest {
	struct holders_request request;
	uint64_t devices[2], shm;
};

static void plan_quest(struct quest *q, const struct snapshot *s, const struct scan_request *request)
{
	struct holders_request *walk = &q->request;
	struct stat st;

	*walk = (struct holders_request){ .classes = walk_classes(s->sources),
					  .access = s->sources & SOURCE_ACCESS,
					  .own_proc = s->context->own_proc && s->context->own_pids,
					  .locks = &s->locks,
					  .threads = request->threads,
					  .devices = q->devices };
	q->shm = s->shm.dev;
	if (s->sources & SOURCE_SHMTREE && s->shm.root >= 0)
		q->devices[walk->ndevices++] = s->shm.dev;
	walk->mapped_files = walk->ndevices > 0; /* a queue cannot be mapped */
	if (s->sources & SOURCE_MQUEUE && s->queues.root >= 0 && fstat(s->queues.root, &st) == 0)
		q->devices[walk->ndevices++] = st.st_dev;
	if (walk->ndevices == 0)
		walk->classes &= ~(1U << OBJECT_FILE);
	if (s->shm.root >= 0 && s->shm.exact) {
		walk->excluded = &q->shm;
		walk->nexcluded = 1;
	}
}

/* beside: what the walk does not need, and its threads are to gather too. */
static int take_holders(struct snapshot *s, const struct scan_request *request,
			const struct parallel_work *beside, struct warnings *warnings)
{
	struct warnings found = { 0 };
	struct quest quest;
	int r;

	plan_quest(&quest, s, request);
	quest.request.beside = beside;
	if (quest.request.classes == 0) {
		parallel_run(beside, threads_of(request));
		return 0;
	}
	r = holders_walk(&s->holders, s->context->proc, &quest.request, &found);
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

/* Whoever waits in open(2) decides over files that nobody has open. */
static bool wants_openers(const struct snapshot *s)
{
	return s->sources & SOURCE_OPENERS || (s->sources & SOURCE_FIFO && s->paths.nfifos > 0);
}

/* Of the walk over processes, the same is said there. */
static void warn_of_tasks(const struct snapshot *s, struct warnings *warnings)
{
	if (s->tasks.unreadable && s->holders.unreadable == 0)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = EACCES,
						.text = "task(s) could not be asked what they wait for",
						.count = s->tasks.unreadable });
	if (s->tasks.hidden && !s->holders.walked)
		warnings_add(warnings, &(struct warning){
					       .subject = "/proc",
					       .error = EACCES,
					       .text = "there may be tasks that are not shown here" });
}

/* What the blocked tasks wait for. */
static int take_blocked(struct snapshot *s, const struct scan_request *request)
{
	struct internal_devices devices;
	struct quest quest;

	plan_quest(&quest, s, request);
	/* Locks and openers are looked at elsewhere; what a descriptor is open for does not matter. */
	quest.request.classes &= ~(1U << OBJECT_LOCK);
	quest.request.access = false;
	internal_devices_read(&devices);
	return blocked_find(&s->blocked, s->context, &s->tasks, &quest.request, &devices);
}

/* What tasks are blocked in, and what comes of it. */
static int take_tasks(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	int r = 0;

	if (s->sources & (SOURCE_TASKS | SOURCE_BLOCKED) || wants_openers(s))
		r = tasks_read(&s->tasks, s->context, threads_of(request));
	if (r < 0 && r != -ENOMEM) {
		s->tasks.complete = false;
		s->failed |= SOURCE_TASKS;
		warnings_add(warnings, &(struct warning){ .subject = "/proc", .error = -r });
		r = 0;
	}
	if (r == 0 && wants_openers(s))
		r = openers_find(&s->openers, s->context, &s->tasks);
	if (r == 0 && s->sources & SOURCE_LOCKS && s->sources & SOURCE_TASKS)
		r = lock_waits_find(&s->lock_waits, s->context, &s->tasks, &s->locks, &s->holders.locks);
	if (r == 0 && s->sources & SOURCE_BLOCKED) {
		r = take_blocked(s, request);
		warn_of_tasks(s, warnings);
	}
	return r;
}

static int take_signals(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	struct warnings found = { 0 };
	int r = signals_read(&s->signals, s->context, &request->processes, threads_of(request), &found);

	if (found.incomplete)
		s->failed |= SOURCE_SIGNALS;
	if (!(request->incidental & SOURCE_SIGNALS))
		warnings_merge(warnings, &found);
	warnings_free(&found);
	return r;
}

static unsigned wanted_sources(const struct scan_request *request)
{
	return request->depth.no_processes ? request->sources & ~(unsigned)SOURCES_PROCESSES :
					     request->sources;
}

/* Objects that processes alone show are there, but were not to be looked for. */
static void tell_not_looked(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	warnings_add(warnings, &(struct warning){ .subject = "--no-holders",
						  .error = EPERM,
						  .text = "objects that only processes show are left out" });
	s->failed |= request->sources & SOURCES_SHOWN;
}

int snapshot_take(struct snapshot *s, const struct scan_context *context, const struct scan_request *request,
		  struct warnings *warnings)
{
	/* The slowest first, so that the last to finish is a short one. */
	static const enum source order[] = { SOURCE_UNIX,     SOURCE_SHMTREE,  SOURCE_SYSV_MSG,
					     SOURCE_SYSV_SEM, SOURCE_SYSV_SHM, SOURCE_INET,
					     SOURCE_PATHS,    SOURCE_MQUEUE,   SOURCE_LOCKS };
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
	if (request->depth.no_processes && request->sources & SOURCES_SHOWN)
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
	if (r == 0 && s->locks.looked && s->holders.walked)
		r = proc_locks_confirm(&s->locks, context, &s->holders.locks);
	if (r == 0)
		r = take_tasks(s, request, warnings);
	if (r == 0 && s->sources & SOURCE_SIGNALS)
		r = take_signals(s, request, warnings);
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
	blocked_free(&s->blocked);
	proc_locks_free(&s->locks);
	lock_waits_free(&s->lock_waits);
	openers_free(&s->openers);
	signals_free(&s->signals);
	holders_free(&s->holders);
}

uint64_t snapshot_unreadable(const struct snapshot *s)
{
	/* What refuses one of the two looks may refuse the other, too. */
	return s->holders.unreadable > s->signals.unreadable ? s->holders.unreadable : s->signals.unreadable;
}

void projector_free(struct projector *p)
{
	users_free(&p->users);
	processes_free(&p->processes);
}
