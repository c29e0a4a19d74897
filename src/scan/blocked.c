/* SPDX-License-Identifier: MIT */
#include "scan/blocked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sem.h>

#include "lib/vec.h"
#include "scan/memory.h"
#include "scan/pollset.h"
#include "scan/visit.h"
#include "scan/walk.h"

/* Operations of one semop(2) that are told. */
#define MOST_OPERATIONS 32

/* The task under way. */
struct asked {
	struct blocked_tasks *b;
	const struct scan_context *context;
	const struct task *task;
	struct walker *walker; /* looks at descriptors; what it notes is taken from it at once */
	struct visit visit;
	char table[24];
};

const char *task_wait_name(enum task_wait wait)
{
	static const char *const names[] = {
		[WAIT_UNKNOWN] = "unknown",
		[WAIT_SEMOP] = "semop",
		[WAIT_MSGSND] = "msgsnd",
		[WAIT_MSGRCV] = "msgrcv",
		[WAIT_MQ_SEND] = "mq_send",
		[WAIT_MQ_RECEIVE] = "mq_receive",
		[WAIT_FUTEX] = "futex",
		[WAIT_FUTEX_WAIT] = "futex_wait",
		[WAIT_FUTEX_WAITV] = "futex_waitv",
		[WAIT_FLOCK] = "flock",
		[WAIT_FCNTL] = "fcntl",
		[WAIT_OPEN] = "open",
		[WAIT_READ] = "read",
		[WAIT_WRITE] = "write",
		[WAIT_RECEIVE] = "recv",
		[WAIT_SEND] = "send",
		[WAIT_ACCEPT] = "accept",
		[WAIT_CONNECT] = "connect",
		[WAIT_POLL] = "poll",
		[WAIT_SELECT] = "select",
		[WAIT_EPOLL] = "epoll_wait",
	};

	return wait < ARRAY_SIZE(names) && names[wait] ? names[wait] : "unknown";
}

static int add(struct asked *a, const struct object_key *key, int fd, bool among)
{
	struct blocked_tasks *b = a->b;

	if (b->count >= NO_BLOCKED || vec_reserve(&b->items, b->count, sizeof(*b->items)) < 0)
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
	struct walker *w = a->walker;
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

/* The numbers of System V objects mean something in their own IPC namespace only. 1, 0 or -errno. */
static int is_ours(const struct asked *a)
{
	return visit_shares(&a->visit, "ipc", a->walker->ipc_namespace);
}

/*
 * Who changed the semaphore last that stops an array of operations: the first that cannot be done
 * now. 0: none stops it any more, or it cannot be told.
 */
static uint32_t last_changer(int id, const struct sembuf *operations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int value = semctl(id, operations[i].sem_num, GETVAL);
		bool passes = operations[i].sem_op == 0 ? value == 0 : value + operations[i].sem_op >= 0;
		int pid;

		if (value < 0)
			return 0;
		if (passes)
			continue;
		pid = semctl(id, operations[i].sem_num, GETPID);
		return pid > 0 ? (uint32_t)pid : 0;
	}
	return 0;
}

/* "semaphore 3: -1", "semaphores 3: -1, 4: 0"; and who changed the one last that it waits for. */
static int tell_operations(struct asked *a, struct buf *text, uint32_t *blocker)
{
	struct sembuf operations[MOST_OPERATIONS];
	uint64_t count = a->task->args[2];
	size_t n = count < MOST_OPERATIONS ? (size_t)count : MOST_OPERATIONS;
	int r = memory_read(a->context->proc, a->task->tid, a->task->args[1], operations,
			    n * sizeof(operations[0]));

	for (size_t i = 0; r == 0 && i < n; i++)
		buf_printf(text, "%s%u: %d",
			   i	     ? ", " :
			   count > 1 ? "semaphores " :
				       "semaphore ",
			   operations[i].sem_num, operations[i].sem_op);
	if (r == 0 && count > n)
		buf_puts(text, ", ...");
	if (r == 0)
		*blocker = last_changer((int)a->task->args[0], operations, n);
	return r;
}

static int add_sysv(struct asked *a, enum object_class class)
{
	struct object_key key = { class, 0, (uint32_t)a->task->args[0] };
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span detail = { 0 };
	uint32_t blocker = 0;
	int r = is_ours(a);

	if (r <= 0)
		return r;
	if (a->task->wait == WAIT_SEMOP && tell_operations(a, &text, &blocker) < 0)
		buf_reset(&text);
	if (a->task->wait == WAIT_MSGRCV && a->task->args[3] != 0)
		buf_printf(&text, "type %lld", (long long)a->task->args[3]);
	if (a->task->wait == WAIT_MSGSND)
		buf_printf(&text, "%llu bytes", (unsigned long long)a->task->args[2]);
	if (text.len > 0)
		detail = arena_span(&a->b->arena, buf_span(&text));
	if (text.failed || (text.len > 0 && !detail.ptr))
		return -ENOMEM;
	r = add(a, &key, -1, false);
	if (r == 0) {
		a->b->items[a->b->count - 1].detail = detail;
		a->b->items[a->b->count - 1].blocker = blocker;
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
	if (a->task->wait >= WAIT_READ && a->walker->request->classes == 0)
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

static int ask_task(struct asked *a)
{
	struct holder holder = { .pid = a->task->pid };
	_cleanup_(close_fd) int dir = -1;
	char path[16];
	int r;

	if (is_asked_elsewhere(a->task))
		return 0;
	snprintf(path, sizeof(path), "%u", a->task->pid);
	snprintf(a->table, sizeof(a->table), "task/%u", a->task->tid);
	dir = openat(a->context->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return 0; /* it has ended */
	holder.command = SPAN("");
	a->visit = (struct visit){ .w = a->walker, .holder = &holder, .dir = dir, .tid = a->task->tid };
	r = ask(a);
	if (a->visit.refused || (r < 0 && r != -ENOENT && r != -ESRCH && r != -ENOMEM))
		a->b->complete = false;
	visit_free(&a->visit);
	return r == -ENOMEM || a->walker->error ? -ENOMEM : 0;
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

int blocked_find(struct blocked_tasks *b, const struct scan_context *context, const struct tasks *tasks,
		 const struct holders_request *request, const struct internal_devices *devices)
{
	char ipc_namespace[64], net_namespace[64];
	struct walker walker = {
		.request = request,
		.proc = context->proc,
		.devices = devices,
		.ipc_namespace = ipc_namespace,
		.mount_namespace = "",
		.net_namespace = net_namespace,
	};
	int r = 0;

	/* The numbers of another PID namespace mean nothing to process_vm_readv(2). */
	if (!context->own_proc || !context->own_pids || !tasks->looked)
		return 0;
	read_own_link("ns/ipc", ipc_namespace, sizeof(ipc_namespace));
	read_own_link("ns/net", net_namespace, sizeof(net_namespace));
	b->looked = true;
	b->complete = tasks->complete;
	for (size_t i = 0; r == 0 && i < tasks->count; i++)
		r = ask_task(&(struct asked){
			.b = b, .context = context, .task = &tasks->items[i], .walker = &walker });
	walker_free(&walker);
	return r < 0 ? r : link_objects(b);
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
	free(b->items);
	hash_free(&b->index);
	arena_free(&b->arena);
	*b = (struct blocked_tasks){ 0 };
}
