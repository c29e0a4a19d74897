/* SPDX-License-Identifier: MIT */
#include "scan/take_tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "lib/parallel.h"
#include "scan/cached.h"
#include "scan/pids.h"
#include "scan/quest.h"

/* Whoever waits in open(2) decides over files that nobody has open. */
static bool wants_openers(const struct snapshot *s)
{
	return s->sources & SOURCE_OPENERS || (s->sources & SOURCE_FIFO && s->paths.nfifos > 0);
}

bool wants_tasks(const struct snapshot *s)
{
	return s->sources & (SOURCE_TASKS | SOURCE_BLOCKED | SOURCE_FUTEX) || wants_openers(s);
}

/* Of the walk over processes, the same is said there. */
static void warn_of_tasks(const struct snapshot *s, struct warnings *warnings)
{
	if (s->tasks.unreadable && s->holders.unreadable == 0)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = EACCES,
						.text = "task(s) could not be asked what they wait for",
						.count = s->tasks.unreadable,
						.unseen = s->tasks.unreadable == 1 ? "task" : "tasks",
						.rights = RIGHTS_OF_DESCRIPTORS });
	if (s->blocked.refused && s->tasks.complete)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = -s->blocked.refused,
						.text = "what some task waits for could not be told",
						.unseen = "what some task waits for" });
	if (s->tasks.hidden && !s->holders.hidden)
		pids_warn_hidden(s->context->proc, s->tasks.hidden,
				 "there may be tasks that are not shown here", warnings);
}

/* What the blocked tasks wait for. */
static int take_blocked(struct snapshot *s, const struct scan_request *request)
{
	struct internal_devices devices;
	struct quest quest;
	int r = quest_plan(&quest, s, request);

	/* Locks and openers are looked at elsewhere; what a descriptor is open for does not matter. */
	quest.request.classes &= ~(1U << OBJECT_LOCK);
	quest.request.access = false;
	if (r == 0)
		r = internal_devices_read(&devices);
	if (r == 0)
		r = blocked_find(&s->blocked, s->context, &s->tasks, &quest.request, &devices);
	quest_free(&quest);
	return r;
}

/* Futexes that only those show who wait for them are missing where one did not tell. */
static void warn_of_futexes(const struct snapshot *s, struct warnings *warnings)
{
	const struct futexes *f = &s->futexes;

	if (!s->context->own_proc || !s->context->own_pids)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "futex",
					   .error = EPERM,
					   .text = "what tasks of another system or PID namespace wait for "
						   "cannot be understood" });
	else if (f->error)
		warnings_add(warnings, &(struct warning){ .subject = "futex", .error = -f->error });
	else if (!f->complete || !f->lists_complete)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "futex",
					   .error = EACCES,
					   .text = "tasks could not be asked what they wait for and hold; "
						   "that is not shown",
					   .count = s->tasks.unreadable,
					   .unseen = s->tasks.unreadable == 1 ? "task" : "tasks",
					   .rights = RIGHTS_OF_DESCRIPTORS });
	if (f->nunclear)
		warnings_add(warnings,
			     &(struct warning){ .subject = "futex",
						.error = EACCES,
						.text = "process(es) wait for something that cannot "
							"be understood; that is not shown",
						.count = f->nunclear });
}

/* FIFOs that nobody has open, but somebody waits to open: they are found through him, if the path
 * leads there for us, too. 0 or -ENOMEM. */
static int take_opened(struct snapshot *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && s->sources & SOURCE_FIFO && i < s->openers.count; i++) {
		const struct opener *o = &s->openers.items[i];
		struct statx stx;

		if (o->key.class != OBJECT_FIFO || o->path.len == 0 || holders_find(&s->holders, &o->key) ||
		    lookup_cached(AT_FDCWD, o->path.ptr, false, false, &stx) < 0)
			continue;
		if (makedev(stx.stx_dev_major, stx.stx_dev_minor) == o->key.dev && stx.stx_ino == o->key.ino)
			r = path_files_add(&s->paths, o->path, &stx);
	}
	return r;
}

int take_tasks(struct snapshot *s, const struct scan_request *request, const struct asking *asking,
	       struct warnings *warnings)
{
	unsigned threads = request->threads ? request->threads : processor_count();
	int r = 0;

	if (wants_tasks(s))
		r = asking ? tasks_end(&s->tasks, asking) : tasks_read(&s->tasks, s->context, threads);
	if (r < 0 && r != -ENOMEM) {
		s->tasks.complete = false;
		s->failed |= SOURCE_TASKS;
		warnings_add(warnings, &(struct warning){ .subject = "/proc", .error = -r });
		r = 0;
	}
	if (r == 0 && wants_openers(s))
		r = openers_find(&s->openers, s->context, &s->tasks);
	if (r == 0)
		r = take_opened(s);
	if (r == 0 && s->sources & SOURCE_LOCKS && s->sources & SOURCE_TASKS)
		r = lock_waits_find(&s->lock_waits, s->context, &s->tasks, &s->locks, &s->holders.locks);
	if (r == 0 && s->sources & SOURCE_BLOCKED) {
		r = take_blocked(s, request);
		warn_of_tasks(s, warnings);
	}
	if (r == 0 && s->sources & SOURCE_FUTEX) {
		r = futexes_find(s, threads);
		warn_of_futexes(s, warnings);
	}
	return r;
}
