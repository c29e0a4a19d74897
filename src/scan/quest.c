/* SPDX-License-Identifier: MIT */
#include "scan/quest.h"

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

void quest_plan(struct quest *q, const struct snapshot *s, const struct scan_request *request)
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
