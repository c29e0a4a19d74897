/* SPDX-License-Identifier: MIT */
#include "scan/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/vec.h"
#include "scan/fdtable.h"
#include "scan/mountinfo.h"
#include "scan/pids.h"
#include "scan/process.h"
#include "scan/walk.h"

/* Items are processes, behind those of the other work. */
static void visit(void *context, unsigned thread, size_t item)
{
	struct walk *walk = context;
	struct walker *w = &walk->walkers[thread];
	const struct parallel_work *beside = w->request->beside;
	size_t before = w->nholdings;
	uint64_t unreadable;
	bool early;

	if (beside && item < beside->count) {
		beside->run(beside->context, thread, item);
		return;
	}
	item -= beside ? beside->count : 0;
	unreadable = w->unreadable;
	early = !locks_are_known(w->request);
	walk_process(w, &walk->processes[item], (uint32_t)item);
	walk->slices[item] =
		(struct slice){ thread, before, w->nholdings - before, early, w->unreadable > unreadable };
}

/* Whether nobody has been seen to hold it. */
static bool is_unseen(const struct walk *walk, const struct lock_line *line)
{
	for (size_t t = 0; t < MOST_THREADS; t++)
		if (lock_set_next(&walk->walkers[t].locks, line, NULL))
			return false;
	return true;
}

static bool misses_holders(const struct walk *walk, const struct proc_locks *locks)
{
	for (size_t i = 0; i < locks->count; i++)
		if (is_unseen(walk, &locks->items[i].line))
			return true;
	return false;
}

/* What the second look at a process finds stands for what the first found; it is counted once, even if but
 * one of them could not read it whole. */
static void visit_again(void *context, unsigned thread, size_t item)
{
	struct walk *walk = context;
	struct walker *w = &walk->walkers[thread];
	uint64_t unreadable = w->unreadable, elsewhere = w->elsewhere;
	uint64_t unidentified = w->unidentified, threads = w->threads;
	size_t before = w->nholdings;

	if (!walk->slices[item].early)
		return;
	/* Its number may be another one's by now: whatever was learned of who it is goes, too. */
	walk->processes[item] = (struct holder){ .pid = walk->processes[item].pid };
	walk_process(w, &walk->processes[item], (uint32_t)item);
	walk->slices[item].thread = thread;
	walk->slices[item].first = before;
	walk->slices[item].count = w->nholdings - before;
	if (walk->slices[item].unreadable)
		w->unreadable = unreadable;
	w->elsewhere = elsewhere;
	w->unidentified = unidentified;
	w->threads = threads;
}

/*
 * Of a lock in /proc/locks whose holder nobody saw it is said that it has none: so whoever was
 * looked at before that was read, and may have taken it meanwhile, is looked at again.
 */
static void look_again(struct walk *walk, const struct holders_request *request, unsigned threads)
{
	size_t early = 0;

	for (size_t i = 0; i < walk->count; i++)
		early += walk->slices[i].early;
	if (early > 0 && misses_holders(walk, request->locks))
		parallel_run(&(struct parallel_work){ visit_again, walk, walk->count }, threads);
}

/* What the mounts say of files that are told by device and inode. 0 or -ENOMEM. */
static int read_devices(struct walk *walk, const struct holders_request *request)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	int r = 0;

	if (request->classes & (1 << OBJECT_FILE_MAPPING | 1 << OBJECT_LOCK))
		r = mounts_read(&mounts);
	/* Without /proc of our own nothing is known of mounts. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = mounts_devices(&mounts, MOUNT_SUBVOLUMES, MOUNT_SUBVOLUMES, &walk->ambiguous, &walk->nambiguous);
	if (r == 0)
		r = mounts_devices(&mounts, MOUNT_LOCAL, ~0U, &walk->plain, &walk->nplain);
	return r;
}

static int prepare(struct walk *walk, int proc, const struct holders_request *request)
{
	bool counting = fd_positions_known(proc);
	int64_t boot = boot_time();
	int r = read_devices(walk, request);

	/* Our own, not that of another /proc's "self". */
	read_own_link("ns/ipc", walk->ipc_namespace, sizeof(walk->ipc_namespace));
	read_own_link("ns/mnt", walk->mount_namespace, sizeof(walk->mount_namespace));
	read_own_link("ns/net", walk->net_namespace, sizeof(walk->net_namespace));
	if (r == 0)
		r = internal_devices_read(&walk->devices);
	for (size_t t = 0; t < MOST_THREADS; t++)
		walk->walkers[t] = (struct walker){
			.request = request,
			.proc = proc,
			.own_pid = request->own_proc ? (uint32_t)getpid() : 0,
			.counting = counting,
			.boot = boot,
			.devices = &walk->devices,
			.ipc_namespace = walk->ipc_namespace,
			.mount_namespace = walk->mount_namespace,
			.net_namespace = walk->net_namespace,
			.ambiguous = walk->ambiguous,
			.nambiguous = walk->nambiguous,
			.plain = walk->plain,
			.nplain = walk->nplain,
		};
	return r;
}

/* Who is to be looked at. 0 or -errno. */
static int list_processes(struct walk *walk, int proc)
{
	_cleanup_(close_fd) int dir = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	int64_t n = read_numbers(dir, &pids);

	if (n < 0)
		return (int)n;
	walk->processes = calloc((size_t)n + 1, sizeof(*walk->processes));
	walk->slices = calloc((size_t)n + 1, sizeof(*walk->slices));
	if (!walk->processes || !walk->slices)
		return -ENOMEM;
	/* The kernel tells them in that order; a recorded tree need not. */
	if (n > 0)
		qsort(pids, (size_t)n, sizeof(*pids), by_u32);
	for (int64_t i = 0; i < n; i++)
		walk->processes[i].pid = pids[i];
	walk->count = (size_t)n;
	return 0;
}

static void warn(const struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings)
{
	if (h->unreadable)
		warnings_add(
			warnings,
			&(struct warning){
				.subject = "/proc",
				.error = EACCES,
				.text = h->unreadable == 1 ?
						"process could not be read; what it holds is not shown" :
						"processes could not be read; what they hold is not shown",
				.count = h->unreadable,
				.unseen = h->unreadable == 1 ? "process" : "processes",
				.rights = request->classes & WALK_DESCRIPTORS ? RIGHTS_OF_DESCRIPTORS :
										RIGHTS_OF_MAPPINGS });
	if (h->hidden)
		pids_warn_hidden(proc, h->hidden,
				 "there may be holders among processes that are not shown here", warnings);
	if (h->elsewhere)
		warnings_add(
			warnings,
			&(struct warning){
				.subject = "/proc",
				.error = EACCES,
				.text = h->elsewhere == 1 ?
						"process has its sockets in another network namespace; "
						"those are not shown" :
						"processes have their sockets in other network namespaces; "
						"those are not shown",
				.count = h->elsewhere,
				.unseen = h->elsewhere == 1 ?
						  "process's sockets in another network namespace" :
						  "processes' sockets in other network namespaces" });
	if (h->unidentified)
		warnings_add(warnings,
			     &(struct warning){ .subject = "/proc",
						.error = EACCES,
						.text = "descriptor(s) are not shown: this kernel does not "
							"tell which eventfd they are",
						.count = h->unidentified });
}

static void walk_free(struct walk *walk)
{
	for (size_t t = 0; t < MOST_THREADS; t++)
		walker_free(&walk->walkers[t]);
	free(walk->processes);
	free(walk->slices);
	free(walk->ambiguous);
	free(walk->plain);
	free(walk);
}

/* What the threads found is put together, and the work that comes after the walk done. */
struct ending {
	struct holders *holders;
	struct walk *walk;
	const struct parallel_work *after;
	int result; /* of walk_merge() */
};

/* The first item is to put together: it is the longest. */
static void end(void *context, unsigned thread, size_t item)
{
	struct ending *ending = context;

	if (item == 0)
		ending->result = walk_merge(ending->holders, ending->walk);
	else
		ending->after->run(ending->after->context, thread, item - 1);
}

static int end_walk(struct holders *h, struct walk *walk, const struct holders_request *request,
		    unsigned threads)
{
	struct ending ending = { .holders = h, .walk = walk };

	if (request->after)
		ending.after = request->after(request->after_context);
	parallel_run(&(struct parallel_work){ end, &ending, 1 + (ending.after ? ending.after->count : 0) },
		     threads);
	return ending.result;
}

int holders_walk(struct holders *h, int proc, const struct holders_request *request,
		 struct warnings *warnings)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	unsigned threads = request->threads ? request->threads : processor_count();
	struct internal_devices devices;
	size_t others;
	uint64_t seen = 0;
	int r;

	if (!walk)
		return -ENOMEM;
	r = prepare(walk, proc, request);
	devices = walk->devices;
	if (r == 0)
		r = list_processes(walk, proc);
	others = request->beside ? request->beside->count : 0;
	if (r == 0) {
		parallel_run(&(struct parallel_work){ visit, walk, others + walk->count }, threads);
		look_again(walk, request, threads);
	} else if (request->beside) {
		parallel_run(request->beside, threads);
	}
	for (size_t t = 0; t < MOST_THREADS; t++) {
		seen += walk->walkers[t].threads;
		if (r == 0)
			r = walk->walkers[t].error;
	}
	if (r == 0)
		r = end_walk(h, walk, request, threads);
	walk_free(walk);
	if (r < 0)
		return r;
	h->devices = devices;
	h->hidden = pids_may_hide(proc, seen);
	h->walked = true;
	warn(h, proc, request, warnings);
	return 0;
}

void holders_free(struct holders *h)
{
	free(h->items);
	for (unsigned t = 0; t < h->nthreads; t++)
		free(h->holdings[t]);
	free(h->ranges);
	free(h->objects);
	for (size_t c = 0; c < OBJECT_CLASSES; c++)
		free(h->classes[c].items);
	free(h->files);
	lock_set_free(&h->locks);
	hash_free(&h->index);
	hash_free(&h->file_index);
	for (size_t t = 0; h->arenas && t < MOST_THREADS; t++)
		arena_free(&h->arenas[t]);
	free(h->arenas);
	*h = (struct holders){ 0 };
}
