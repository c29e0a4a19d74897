/* SPDX-License-Identifier: MIT */
#include "scan/quest.h"

#include <errno.h>

#include "lib/vec.h"

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
		{ SOURCE_FUTEX, false, OBJECT_FILE },
		{ SOURCE_FUTEX, false, OBJECT_SYSV },
		{ SOURCE_FUTEX, false, OBJECT_MEMFD },
		{ SOURCE_FUTEX, false, OBJECT_FILE_MAPPING },
		{ SOURCE_FUTEX, false, OBJECT_ANON_MAPPING },
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

/* The file systems of one place. */
static void add_devices(struct quest *q, unsigned sources, const struct shmtree *shm,
			const struct mqueue *queues)
{
	struct holders_request *walk = &q->request;

	if (sources & SOURCE_SHMTREE && shm->root >= 0) {
		q->devices[walk->ndevices++] = shm->dev;
		walk->mapped_files = true; /* a queue cannot be mapped */
	}
	if (sources & SOURCE_MQUEUE && queues->root >= 0)
		q->devices[walk->ndevices++] = queues->dev;
	if (shm->root >= 0 && shm->exact)
		q->shm[walk->nexcluded++] = shm->dev;
}

int quest_plan(struct quest *q, const struct snapshot *s, const struct scan_request *request)
{
	struct holders_request *walk = &q->request;
	const struct places *places = &s->places;

	*q = (struct quest){ .devices = calloc(2 * places->count + 2, sizeof(*q->devices)),
			     .shm = calloc(places->count + 1, sizeof(*q->shm)) };
	if (!q->devices || !q->shm)
		return -ENOMEM;
	*walk = (struct holders_request){ .classes = walk_classes(s->sources),
					  .access = s->sources & SOURCE_ACCESS,
					  .everywhere = places->count > 0,
					  .own_proc = s->context->own_proc && s->context->own_pids,
					  .locks = &s->locks,
					  .threads = request->threads,
					  .devices = q->devices,
					  .excluded = q->shm };
	add_devices(q, s->sources, &s->shm, &s->queues);
	for (size_t i = 0; i < places->count; i++)
		add_devices(q, s->sources, &places->items[i].shm, &places->items[i].queues);
	qsort(q->devices, walk->ndevices, sizeof(*q->devices), by_u64);
	qsort(q->shm, walk->nexcluded, sizeof(*q->shm), by_u64);
	if (walk->ndevices == 0)
		walk->classes &= ~(1U << OBJECT_FILE);
	return 0;
}

void quest_free(struct quest *q)
{
	free(q->devices);
	free(q->shm);
}
