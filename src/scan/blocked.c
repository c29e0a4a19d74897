/* SPDX-License-Identifier: MIT */
#include "scan/blocked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sem.h>

#include "lib/parallel.h"
#include "lib/vec.h"
#include "scan/memory.h"
#include "scan/pollset.h"
#include "scan/sysvipc.h"
#include "scan/visit.h"
#include "scan/walk.h"

/* Operations of one semop(2) that are told. */
#define MOST_OPERATIONS 32

/* What one thread has found. */
struct finder {
	struct blocked *items;
	size_t count;
	struct arena arena;
	struct walker walker; /* looks at descriptors; what it notes is taken from it at once */
	int error;	      /* 0 or -ENOMEM */
	bool incomplete;
	int refused; /* -errno, or 0 */
	APART;
};

/* Tasks of one process: tasks[first .. end); what was found of them: where, and how much. */
struct piece {
	size_t first, end;
	unsigned thread;
	size_t from, count;
};

struct search {
	const struct scan_context *context;
	const struct tasks *tasks;
	struct piece *pieces;
	size_t npieces;
	struct finder finders[MOST_THREADS];
};

/* The task under way. */
struct asked {
	struct finder *finder;
	const struct scan_context *context;
	const struct task *task;
	struct memory memory; /* of its process; pagemap -1: not needed yet */
	struct visit visit;
	char table[24];
};

static int add(struct asked *a, const struct object_key *key, int fd, bool among)
{
	struct finder *b = a->finder;

	if (vec_reserve(&b->items, b->count, sizeof(*b->items)) < 0)
		return -ENOMEM;
	b->items[b->count++] = (struct blocked){
		.pid = a->task->pid,
		.tid = a->task->tid,
		.wait = a->task->wait,
		.among = among,
		.fd = fd,
		.key = *key,
		.next = NO_BLOCKED,
	};
	return 0;
}

/* What a descriptor refers to, if that is of a class that is looked for. */
static int add_descriptor(struct asked *a, int fd, bool among)
{
	struct walker *w = &a->finder->walker;
	int r = 0;

	w->nholdings = 0;
	if (!visit_one_descriptor(&a->visit, a->table, fd))
		return 0; /* closed meanwhile, so that it waits no more */
	for (size_t i = 0; r == 0 && i < w->nholdings; i++) {
		struct object_key key = holding_key(&w->holdings[i]);

		r = add(a, &key, fd, among);
	}
	return r;
}

static int add_polled(void *data, int fd)
{
	return add_descriptor(data, fd, true);
}

/* "semaphore 3: -1", "semaphores 3: -1, 4: 0"; and, of a set in our IPC namespace, who changed the one
 * last that it waits for. */
static int tell_operations(struct asked *a, bool here, struct buf *text, uint32_t *blocker)
{
	struct sembuf operations[MOST_OPERATIONS];
	uint64_t count = a->task->args[2];
	size_t n = count < MOST_OPERATIONS ? (size_t)count : MOST_OPERATIONS;
	int r;

	if (a->memory.pagemap < 0)
		memory_open(&a->memory, a->context->proc, a->task->tid);
	r = memory_read_from(&a->memory, a->task->args[1], operations, n * sizeof(operations[0]));
	/* The thread that showed the memory first may have ended. */
	if (r < 0 && a->memory.tid != a->task->tid)
		r = memory_read(a->context->proc, a->task->tid, a->task->args[1], operations,
				n * sizeof(operations[0]));

	for (size_t i = 0; r == 0 && i < n; i++)
		buf_printf(text, "%s%u: %d",
			   i	     ? ", " :
			   count > 1 ? "semaphores " :
				       "semaphore ",
			   operations[i].sem_num, operations[i].sem_op);
	if (r == 0 && count > n)
		buf_puts(text, ", ...");
	if (r == 0 && here)
		*blocker = sysv_sem_changer((int)a->task->args[0], operations, n);
	return r;
}

static int add_sysv(struct asked *a, enum object_class class)
{
	/* The numbers of System V objects mean something in their own IPC namespace only. */
	int64_t space = visit_ipc_space(&a->visit);
	struct object_key key = { class, 0, sysv_number((uint64_t)space, (uint32_t)a->task->args[0]) };
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span detail = { 0 };
	uint32_t blocker = 0;
	int r;

	if (space < 0)
		return space == -ENOENT ? 0 : (int)space;
	if (a->task->wait == WAIT_SEMOP && tell_operations(a, space == 0, &text, &blocker) < 0)
		buf_reset(&text);
	if (a->task->wait == WAIT_MSGRCV && a->task->args[3] != 0)
		buf_printf(&text, "type %ld", (long)a->task->args[3]);
	if (a->task->wait == WAIT_MSGSND)
		buf_printf(&text, "%llu bytes", (unsigned long long)a->task->args[2]);
	if (text.len > 0)
		detail = arena_span(&a->finder->arena, buf_span(&text));
	if (text.failed || (text.len > 0 && !detail.ptr))
		return -ENOMEM;
	r = add(a, &key, -1, false);
	if (r == 0) {
		a->finder->items[a->finder->count - 1].detail = detail;
		a->finder->items[a->finder->count - 1].blocker = blocker;
	}
	return r;
}

/* 0 or -errno. */
static int ask(struct asked *a)
{
	if (a->task->flags & TASK_FOREIGN)
		return -ENOTSUP;
	/* The arguments of a restarted call are told, but not which call it was. */
	if (a->task->flags & TASK_RESTARTED && a->task->wait == WAIT_UNKNOWN)
		return -ENOTSUP;
	/* Objects that descriptors lead to may not be asked for at all. */
	if (a->task->wait >= WAIT_READ && a->finder->walker.request->classes == 0)
		return 0;
	switch (a->task->wait) {
	case WAIT_SEMOP:
		return add_sysv(a, OBJECT_SYSV_SEM);
	case WAIT_MSGSND:
	case WAIT_MSGRCV:
		return add_sysv(a, OBJECT_SYSV_MSG);
	case WAIT_READ:
	case WAIT_WRITE:
	case WAIT_RECEIVE:
	case WAIT_SEND:
	case WAIT_ACCEPT:
	case WAIT_CONNECT:
	case WAIT_MQ_SEND:
	case WAIT_MQ_RECEIVE:
		return add_descriptor(a, (int)a->task->args[0], false);
	case WAIT_POLL:
	case WAIT_SELECT:
	case WAIT_EPOLL:
		return pollset_each(a->context, a->task, add_polled, a);
	case WAIT_UNKNOWN:
		return -ENOTSUP;
	default:
		return 0;
	}
}

/* Locks and futexes are found by others, and nothing has to be asked for them here. */
static bool is_asked_elsewhere(const struct task *task)
{
	return task->wait >= WAIT_FUTEX && task->wait <= WAIT_OPEN && !(task->flags & TASK_FOREIGN);
}

/* What could not be looked at, unless it is gone. What comes of races is no failure of ours. */
static void refuse(struct finder *f, int error)
{
	bool ours = error == -EMFILE || error == -ENFILE || error == -ENOMEM;

	if (error == -ENOENT || error == -ESRCH)
		return;
	f->incomplete = true;
	if (error != -ENOTSUP && (ours || !f->refused))
		f->refused = ours ? error : -EACCES;
}

static void ask_task(struct asked *a)
{
	struct finder *f = a->finder;
	int r;

	if (is_asked_elsewhere(a->task))
		return;
	snprintf(a->table, sizeof(a->table), "task/%u", a->task->tid);
	a->visit.tid = a->task->tid;
	a->visit.refused = false;
	r = ask(a);
	if (r == -ENOMEM || f->walker.error == -ENOMEM)
		f->error = -ENOMEM;
	else if (f->walker.error || a->visit.refused || r < 0)
		refuse(f, f->walker.error ? f->walker.error : a->visit.refused ? -EACCES : r);
	f->walker.error = 0;
}

/* The tasks of one process. */
static void ask_process(void *context, unsigned thread, size_t item)
{
	struct search *search = context;
	struct finder *f = &search->finders[thread];
	struct piece *piece = &search->pieces[item];
	struct holder holder = { .pid = search->tasks->items[piece->first].pid, .command = SPAN("") };
	struct asked a = { .finder = f, .context = search->context, .memory = { .pagemap = -1 } };
	_cleanup_(close_fd) int dir = -1;
	size_t before = f->count;
	char path[16];
	bool needed = false;

	for (size_t i = piece->first; i < piece->end; i++)
		needed |= !is_asked_elsewhere(&search->tasks->items[i]);
	snprintf(path, sizeof(path), "%u", holder.pid);
	if (needed)
		dir = openat(search->context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		/* Unless it has ended, its tasks may wait for anything. */
		if (needed)
			refuse(f, -errno);
		return;
	}
	a.visit = (struct visit){ .w = &f->walker, .holder = &holder, .dir = dir };
	for (size_t i = piece->first; i < piece->end && f->error == 0; i++) {
		a.task = &search->tasks->items[i];
		ask_task(&a);
	}
	visit_free(&a.visit);
	memory_close(&a.memory);
	piece->thread = thread;
	piece->from = before;
	piece->count = f->count - before;
}

/* Links those of the same object, in the order of pids. */
static int link_objects(struct blocked_tasks *b)
{
	if (hash_reserve(&b->index, b->count) < 0)
		return -ENOMEM;
	for (size_t i = b->count; i-- > 0;) {
		uint64_t digest = object_digest(&b->items[i].key);
		const struct hash_slot *slot = hash_find(&b->index, digest, NULL);

		b->items[i].next = slot ? slot->value : NO_BLOCKED;
		if (slot)
			hash_set(&b->index, slot, (uint32_t)i);
		else if (hash_add(&b->index, digest, (uint32_t)i) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A piece for each process. 0 or -ENOMEM. */
static int cut(struct search *search)
{
	const struct tasks *t = search->tasks;

	search->pieces = calloc(t->count + 1, sizeof(*search->pieces));
	if (!search->pieces)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		if (i == 0 || t->items[i].pid != t->items[i - 1].pid)
			search->pieces[search->npieces++].first = i;
		search->pieces[search->npieces - 1].end = i + 1;
	}
	return 0;
}

/* Puts what the threads found into the order of processes. 0 or -ENOMEM. */
static int merge(struct blocked_tasks *b, struct search *search)
{
	size_t total = 0;

	for (size_t t = 0; t < MOST_THREADS; t++) {
		if (search->finders[t].error < 0)
			return -ENOMEM;
		total += search->finders[t].count;
		b->complete &= !search->finders[t].incomplete;
		if (search->finders[t].refused)
			b->refused = search->finders[t].refused;
	}
	b->items = calloc(total + 1, sizeof(*b->items));
	b->arenas = calloc(MOST_THREADS, sizeof(*b->arenas));
	if (!b->items || !b->arenas || total >= NO_BLOCKED)
		return -ENOMEM;
	for (size_t i = 0; i < search->npieces; i++) {
		const struct piece *piece = &search->pieces[i];

		if (piece->count > 0)
			memcpy(&b->items[b->count], &search->finders[piece->thread].items[piece->from],
			       piece->count * sizeof(*b->items));
		b->count += piece->count;
	}
	for (size_t t = 0; t < MOST_THREADS; t++) {
		b->arenas[t] = search->finders[t].arena;
		search->finders[t].arena = (struct arena){ 0 };
	}
	return link_objects(b);
}

int blocked_find(struct blocked_tasks *b, const struct scan_context *context, const struct tasks *tasks,
		 const struct holders_request *request, const struct internal_devices *devices)
{
	char ipc_namespace[64], net_namespace[64];
	struct search *search;
	int r;

	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!context->own_proc || !context->own_pids || !tasks->looked)
		return 0;
	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	read_own_link("ns/ipc", ipc_namespace, sizeof(ipc_namespace));
	read_own_link("ns/net", net_namespace, sizeof(net_namespace));
	b->looked = true;
	b->complete = tasks->complete;
	search->context = context;
	search->tasks = tasks;
	for (size_t t = 0; t < MOST_THREADS; t++)
		search->finders[t].walker = (struct walker){ .request = request,
							     .proc = context->proc,
							     .devices = devices,
							     .ipc_namespace = ipc_namespace,
							     .mount_namespace = "",
							     .net_namespace = net_namespace };
	r = cut(search);
	if (r == 0) {
		parallel_run(&(struct parallel_work){ ask_process, search, search->npieces },
			     request->threads ? request->threads : processor_count());
		r = merge(b, search);
	}
	for (size_t t = 0; t < MOST_THREADS; t++) {
		walker_free(&search->finders[t].walker);
		arena_free(&search->finders[t].arena);
		free(search->finders[t].items);
	}
	free(search->pieces);
	free(search);
	return r;
}

const struct blocked *blocked_next(const struct blocked_tasks *b, const struct object_key *key,
				   const struct blocked *after)
{
	const struct hash_slot *slot = after ? NULL : hash_find(&b->index, object_digest(key), NULL);
	uint32_t i = after ? after->next : slot ? slot->value : NO_BLOCKED;

	while (i != NO_BLOCKED && !object_same(&b->items[i].key, key))
		i = b->items[i].next;
	return i == NO_BLOCKED ? NULL : &b->items[i];
}

void blocked_free(struct blocked_tasks *b)
{
	for (size_t t = 0; b->arenas && t < MOST_THREADS; t++)
		arena_free(&b->arenas[t]);
	free(b->arenas);
	free(b->items);
	hash_free(&b->index);
	*b = (struct blocked_tasks){ 0 };
}
