/* SPDX-License-Identifier: MIT */
#include "scan/scan.h"

#include <errno.h>

#include "lib/parallel.h"

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

/* One source, gathered by whichever thread is free; its warnings are its own. */
struct gathering {
	struct snapshot *snapshot;
	const struct scan_request *request;
	struct {
		enum source source;
		struct warnings warnings;
		int result;
	} jobs[9];
};

static void gather(void *context, unsigned thread _unused_, size_t i)
{
	struct gathering *g = context;
	struct snapshot *s = g->snapshot;
	struct warnings *w = &g->jobs[i].warnings;
	int *r = &g->jobs[i].result;

	switch (g->jobs[i].source) {
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
		*r = unix_sockets_read(&s->unix_sockets, w);
		break;
	case SOURCE_INET:
		*r = inet_sockets_read(&s->inet_sockets, w);
		break;
	case SOURCE_PATHS:
		*r = path_files_read(&s->paths, &g->request->directories, &g->request->files, w);
		break;
	default: /* the walk needs what the others found */
		break;
	}
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
static unsigned walk_classes(const struct scan_request *request)
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
	};
	unsigned classes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (request->sources & map[i].source &&
		    (!map[i].holders || request->sources & SOURCE_HOLDERS))
			classes |= 1U << map[i].class;
	return classes;
}

static int take_holders(struct snapshot *s, const struct scan_request *request, struct warnings *warnings)
{
	struct holders_request walk = { .classes = walk_classes(request),
					.access = request->sources & SOURCE_ACCESS,
					.own_proc = s->context->own_proc && s->context->own_pids,
					.threads = request->threads };
	struct warnings found = { 0 };
	uint64_t devices[2], shm = s->shm.dev;
	struct stat st;
	int r;

	if (request->sources & SOURCE_SHMTREE && s->shm.root >= 0)
		devices[walk.ndevices++] = s->shm.dev;
	walk.mapped_files = walk.ndevices > 0; /* a queue cannot be mapped */
	if (request->sources & SOURCE_MQUEUE && s->queues.root >= 0 && fstat(s->queues.root, &st) == 0)
		devices[walk.ndevices++] = st.st_dev;
	walk.devices = devices;
	if (walk.ndevices == 0)
		walk.classes &= ~(1U << OBJECT_FILE);
	if (s->shm.root >= 0 && s->shm.exact) {
		walk.excluded = &shm;
		walk.nexcluded = 1;
	}
	if (walk.classes == 0)
		return 0;
	r = holders_walk(&s->holders, s->context->proc, &walk, &found);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		warnings_add(&found, &(struct warning){ .subject = "/proc", .error = -r });
	if (found.incomplete)
		s->failed |= request->sources & SOURCES_WALKED;
	warnings_merge(warnings, &found);
	warnings_free(&found);
	return r < 0 ? 0 : add_nameless(s);
}

int snapshot_take(struct snapshot *s, const struct scan_context *context, const struct scan_request *request,
		  struct warnings *warnings)
{
	/* The slowest first, so that the last to finish is a short one. */
	static const enum source order[] = { SOURCE_UNIX,     SOURCE_SHMTREE,  SOURCE_SYSV_MSG,
					     SOURCE_SYSV_SEM, SOURCE_SYSV_SHM, SOURCE_INET,
					     SOURCE_PATHS,    SOURCE_MQUEUE };
	struct gathering g = { .snapshot = s, .request = request };
	size_t n = 0;
	int r = 0;

	*s = (struct snapshot){
		.context = context,
		.depth = request->depth,
		.sources = request->sources,
		.shm.root = -1,
		.queues.root = -1,
	};
	for (enum sysv_kind kind = SYSV_SHM; kind <= SYSV_MSG; kind++)
		s->sysv[kind].kind = kind;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (request->sources & order[i])
			g.jobs[n++].source = order[i];
	if (request->sources & SOURCE_SHMROOT && !(request->sources & SOURCE_SHMTREE))
		g.jobs[n++].source = SOURCE_SHMROOT;
	parallel_run(&(struct parallel_work){ gather, &g, n },
		     request->threads ? request->threads : processor_count());
	for (size_t i = 0; i < n; i++) {
		if (g.jobs[i].result < 0)
			r = g.jobs[i].result;
		if (g.jobs[i].warnings.incomplete)
			s->failed |= g.jobs[i].source;
		warnings_merge(warnings, &g.jobs[i].warnings);
		warnings_free(&g.jobs[i].warnings);
	}
	if (r == 0 && request->sources & SOURCES_WALKED)
		r = take_holders(s, request, warnings);
	/* Whoever waits in open(2) decides over files that nobody has open. */
	if (r == 0 &&
	    (request->sources & SOURCE_OPENERS || (request->sources & SOURCE_FIFO && s->paths.count > 0)))
		r = openers_find(&s->openers, context);
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
	openers_free(&s->openers);
	holders_free(&s->holders);
}

void projector_free(struct projector *p)
{
	users_free(&p->users);
	processes_free(&p->processes);
}
