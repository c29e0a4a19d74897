/* SPDX-License-Identifier: MIT */
#include "scan/scan.h"

#include <errno.h>

#include "lib/parallel.h"
#include "lib/vec.h"
#include "scan/quest.h"
#include "scan/sources.h"
#include "scan/take_tasks.h"
#include "scan/views.h"

void scan_request_free(struct scan_request *request)
{
	name_list_free(&request->shm_names);
	name_list_free(&request->queue_names);
	name_list_free(&request->directories);
	name_list_free(&request->files);
	name_list_free(&request->processes);
	free(request->place_numbers);
	arena_free(&request->arena);
}

int scan_request_place(struct scan_request *request, uint64_t ino)
{
	if (vec_reserve(&request->place_numbers, request->nplace_numbers, sizeof(*request->place_numbers)) <
	    0)
		return -ENOMEM;
	request->place_numbers[request->nplace_numbers++] = ino;
	return 0;
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
	struct job first[3], rest[10];
	size_t nfirst, nrest;
	struct latch locks_read;
	struct asking *asking; /* tasks, once they were asked */
	bool starved;	       /* memory ran out for that */
};

static unsigned threads_of(const struct scan_request *request)
{
	return request->threads ? request->threads : processor_count();
}

/* Objects of this process's own place, if that is not to be looked at. */
static bool is_left_out(const struct snapshot *s, enum source source)
{
	const bool *wanted = s->places.here_wanted;

	return (source & SOURCES_IPC && !wanted[PLACE_IPC]) || (source & SOURCES_SHM && !wanted[PLACE_SHM]) ||
	       (source & SOURCES_NET && !wanted[PLACE_NET]);
}

static void add_job(struct gathering *g, enum source source)
{
	const unsigned early = SOURCE_SHMTREE | SOURCE_MQUEUE | SOURCE_SHMROOT;

	if (is_left_out(g->snapshot, source))
		return;
	if (g->snapshot->sources & SOURCES_WALKED && source & early)
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
		latch_open(&g->locks_read);
		break;
	case SOURCE_SIGNALS:
		*r = signals_read(&s->signals, s->context, &g->request->processes, threads_of(g->request), w);
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
	if (job->warnings.failed)
		g->snapshot->lost |= job->source;
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

/* Objects that no name leads to any more, but a holder: entries of their own; here, or in the views. */
static int add_nameless(struct snapshot *s, bool here)
{
	const struct holders *h = &s->holders;
	int r = 0;

	for (size_t i = 0; r == 0 && i < h->classes[OBJECT_FILE].count; i++) {
		struct object_key key = holding_key(object_holding(h, OBJECT_FILE, i));
		const struct found_file *file = holders_file(h, &key);
		struct snapshot *view;

		if (!file || !file->deleted)
			continue;
		if (s->sources & SOURCE_SHMTREE && (view = view_of_shm(s, key.dev)) != NULL)
			r = (view == s) == here ? shmtree_add_nameless(&view->shm, file) : 0;
		else if (s->sources & SOURCE_MQUEUE && (view = view_of_queues(s, key.dev)) != NULL)
			r = (view == s) == here ? mqueue_add_nameless(&view->queues, file) : 0;
	}
	return r;
}

/* Tasks are asked what they are blocked in right after the walk. */
static const struct parallel_work *after_walk(void *context)
{
	struct gathering *g = context;

	if (!wants_tasks(g->snapshot))
		return NULL;
	g->asking = tasks_begin(g->snapshot->context);
	g->starved = !g->asking;
	return g->asking ? tasks_work(g->asking) : NULL;
}

/*
 * beside: what the walk does not need, and its threads are to gather too. /proc/locks is among that,
 * and the first to be begun: to read it is to sleep for some time (the kernel's percpu_down_write()),
 * in which most descriptors can be looked at without it.
 */
static int take_holders(struct gathering *g, const struct parallel_work *beside, struct warnings *warnings)
{
	const struct scan_request *request = g->request;
	struct snapshot *s = g->snapshot;
	struct warnings found = { 0 };
	struct quest quest;
	int r;

	r = quest_plan(&quest, s, request);
	if (r < 0) {
		quest_free(&quest);
		return r;
	}
	quest.request.beside = beside;
	quest.request.locks_read = s->sources & SOURCE_LOCKS ? &g->locks_read : NULL;
	/* One of them sleeps in the meantime; unless it was said how many there may be. */
	if (s->sources & SOURCE_LOCKS && !request->threads)
		quest.request.threads = processor_count() + 1;
	quest.request.after = after_walk;
	quest.request.after_context = g;
	if (quest.request.classes == 0)
		parallel_run(beside, threads_of(request));
	else
		r = holders_walk(&s->holders, s->context->proc, &quest.request, &found);
	quest_free(&quest);
	if (r == -ENOMEM || g->starved)
		return -ENOMEM;
	if (r < 0)
		warnings_add(&found, &(struct warning){ .subject = "/proc", .error = -r });
	if (found.incomplete)
		s->failed |= s->sources & SOURCES_WALKED;
	if (found.failed)
		s->lost |= s->sources & SOURCES_WALKED;
	warnings_merge(warnings, &found);
	warnings_free(&found);
	return r < 0 ? 0 : add_nameless(s, true);
}

static unsigned wanted_sources(const struct scan_request *request)
{
	unsigned sources = request->sources;

	if (request->depth.no_processes)
		sources &= ~(unsigned)SOURCES_PROCESSES;
	/* Whether a socket file is stale depends on what sockets are bound to. */
	if (request->directories.count > 0 || request->files.count > 0)
		sources |= SOURCE_ADDRESSES;
	return sources;
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
	static const enum source order[] = { SOURCE_LOCKS,    SOURCE_UNIX,     SOURCE_SHMTREE,
					     SOURCE_SYSV_MSG, SOURCE_SYSV_SEM, SOURCE_SYSV_SHM,
					     SOURCE_INET,     SOURCE_PATHS,    SOURCE_MQUEUE,
					     SOURCE_SIGNALS };
	struct gathering g = { .snapshot = s, .request = request, .locks_read = LATCH_CLOSED };
	struct warnings found = { 0 };
	struct parallel_work rest;
	int r = 0;

	*s = (struct snapshot){
		.context = context,
		.depth = request->depth,
		.sources = wanted_sources(request),
		.shm.root = -1,
		.queues.root = -1,
		.diag = -1,
	};
	s->place = &s->places.here;
	r = views_gather(s, request, &found);
	if (r < 0) {
		warnings_free(&found);
		return r;
	}
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
		r = take_holders(&g, &rest, &found);
	else
		parallel_run(&rest, threads_of(request));
	r = end_jobs(&g, r, warnings);
	warnings_merge(warnings, &found);
	warnings_free(&found);
	if (r == 0 && s->locks.looked && s->holders.walked)
		r = proc_locks_confirm(&s->locks, context, &s->holders.locks);
	if (r == 0)
		r = take_tasks(s, request, g.asking, warnings);
	s->taken = time(NULL); /* before the views are made, which are of that moment, too */
	if (r == 0)
		r = views_make(s);
	if (r == 0 && s->nviews > 0)
		r = add_nameless(s, false);
	asking_free(g.asking);
	return r;
}

void snapshot_free(struct snapshot *s)
{
	views_free(s);
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
	futexes_free(&s->futexes);
	holders_free(&s->holders);
}

unsigned snapshot_failed(const struct snapshot *s)
{
	unsigned failed = s->failed;

	for (size_t v = 0; v < s->nviews; v++)
		failed |= s->views[v].failed;
	return failed;
}

unsigned snapshot_lost(const struct snapshot *s)
{
	unsigned lost = s->lost;

	for (size_t v = 0; v < s->nviews; v++)
		lost |= s->views[v].lost;
	return lost;
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
	owners_free(&p->owners);
	bind_sources_free(&p->binds);
	inhabitants_free(&p->inhabitants);
}
