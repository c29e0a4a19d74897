/* SPDX-License-Identifier: MIT */
#include "scan/futex_waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "lib/vec.h"
#include "scan/memory.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define WAITV_MOST 128 /* FUTEX_WAITV_MAX */
#define WAITV_PRIVATE 128u
/* The kernel follows no longer list either (linux/futex.h). */
#define LIST_MOST 2048

/* struct futex_waitv of linux/futex.h, Linux 5.16 */
struct waitv {
	uint64_t value, address;
	uint32_t flags, reserved;
};

/* One that is at no shared address is nobody else's. 0 or -ENOMEM. */
static int add(struct futex_words *words, const struct regions *regions, const struct futex_waiter *waiter)
{
	const struct region *region = regions_find(regions, waiter->address);
	struct futex_word word = { .waiter = *waiter, .libc = regions->libc };

	/* The kernel takes no other ones (get_futex_key() in kernel/futex/core.c). */
	if (!region || waiter->address % sizeof(uint32_t) != 0)
		return 0;
	word.object = region->object;
	word.offset = region->offset + (waiter->address - region->start);
	word.region_start = region->start;
	word.region_end = region->end;
	word.local = region->local;
	word.path = arena_span(words->arena, region->path);
	if (!word.path.ptr || vec_reserve(&words->items, words->count, sizeof(word)) < 0)
		return -ENOMEM;
	words->items[words->count++] = word;
	return 0;
}

static bool is_futex_call(const struct task *task)
{
	return task->wait == WAIT_FUTEX && !(task->flags & TASK_FOREIGN);
}

bool futex_wait_is_private(const struct task *task)
{
	return is_futex_call(task) && task->args[1] & FUTEX_PRIVATE_FLAG;
}

/* futex(2): uaddr, op, val, timeout, uaddr2, val3. */
static int add_futex(struct futex_words *words, const struct task *task, const struct regions *regions)
{
	struct futex_waiter waiter = {
		.pid = task->pid, .tid = task->tid, .address = task->args[0], .value = (uint32_t)task->args[2]
	};

	switch (task->args[1] & (uint64_t)FUTEX_CMD_MASK & UINT32_MAX) {
	case FUTEX_WAIT:
		waiter.operation = FUTEX_OP_WAIT;
		break;
	case FUTEX_WAIT_BITSET:
		waiter.operation = FUTEX_OP_WAIT_BITSET;
		break;
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		waiter.operation = FUTEX_OP_LOCK_PI;
		break;
	case FUTEX_WAIT_REQUEUE_PI:
		waiter.operation = FUTEX_OP_REQUEUE_PI;
		break;
	default: /* only a restarted call has arguments that need not be those of a wait */
		return task->flags & TASK_RESTARTED ? -ENOTSUP : 0;
	}
	return add(words, regions, &waiter);
}

/* futex_waitv(2): an array of words, any of which may end the wait. */
static int add_waitv(struct futex_words *words, int proc, const struct task *task,
		     const struct regions *regions)
{
	size_t n = task->args[1] < WAITV_MOST ? (size_t)task->args[1] : WAITV_MOST;
	struct waitv list[WAITV_MOST];
	int r = memory_read(proc, task->tid, task->args[0], list, n * sizeof(list[0]));

	if (r < 0)
		return -ENOTSUP;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct futex_waiter waiter = { .pid = task->pid,
						     .tid = task->tid,
						     .address = list[i].address,
						     .value = (uint32_t)list[i].value,
						     .operation = FUTEX_OP_WAITV };

		if (!(list[i].flags & WAITV_PRIVATE))
			r = add(words, regions, &waiter);
	}
	return r;
}

int futex_words_of_task(struct futex_words *words, int proc, const struct task *task,
			const struct regions *regions)
{
	/* futex_wait(2): uaddr, val, mask, flags. */
	const struct futex_waiter single = { .pid = task->pid,
					     .tid = task->tid,
					     .address = task->args[0],
					     .value = (uint32_t)task->args[1],
					     .operation = FUTEX_OP_WAIT2 };

	if (task->flags & TASK_FOREIGN)
		return -ENOTSUP;
	switch (task->wait) {
	case WAIT_FUTEX:
		return task->args[1] & FUTEX_PRIVATE_FLAG ? 0 : add_futex(words, task, regions);
	case WAIT_FUTEX_WAIT:
		return task->args[3] & WAITV_PRIVATE ? 0 : add(words, regions, &single);
	case WAIT_FUTEX_WAITV:
		return add_waitv(words, proc, task, regions);
	default: /* a restarted call of some sort */
		return -ENOTSUP;
	}
}

/* A pointer of the task's, whose program has words like ours. */
static int read_pointer(int proc, uint32_t tid, uint64_t address, uint64_t *out)
{
	uintptr_t pointer;
	int r = memory_read(proc, tid, address, &pointer, sizeof(pointer));

	*out = r < 0 ? 0 : pointer;
	return r;
}

/* Which libc keeps its list so: it links by a member, and tells the kernel how far the lock is. */
static enum futex_libc libc_of_list(int64_t to_lock)
{
	const bool narrow = sizeof(long) == 4;

	if (to_lock == (narrow ? -20 : -32))
		return LIBC_GLIBC;
	return to_lock == (narrow ? -16 : -28) ? LIBC_MUSL : LIBC_UNKNOWN;
}

/* The list's entries are in memory that others may write to: it ends where it makes no sense. */
static int add_list(struct futex_words *words, int proc, uint32_t tid, uint64_t head,
		    const struct regions *regions)
{
	struct robust_list_head h;
	uint64_t entry;
	int r = memory_read(proc, tid, head, &h, sizeof(h));

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	entry = (uintptr_t)h.list.next;
	for (int i = 0; i < LIST_MOST && r == 0 && entry && (entry & ~1ull) != head; i++) {
		const struct futex_waiter held = { .pid = regions->pid,
						   .tid = tid,
						   .address = (entry & ~1ull) + (uint64_t)h.futex_offset,
						   .operation = FUTEX_OP_HELD };
		size_t before = words->count;

		r = add(words, regions, &held);
		if (r == 0 && words->count > before)
			words->items[before].libc = libc_of_list(h.futex_offset);
		if (r == 0 && read_pointer(proc, tid, entry & ~1ull, &entry) < 0)
			break;
	}
	return r;
}

bool futex_holds_any(int proc, uint32_t tid, const struct memory *memory)
{
	struct robust_list_head *head = NULL, h;
	size_t size = 0;
	int r;

	if (syscall(SYS_get_robust_list, (pid_t)tid, &head, &size) < 0)
		return errno == EPERM || errno == EACCES;
	if (!head || size != sizeof(*head))
		return false;
	/* Whoever links by a mark in the pointer has the head's own address there when it is empty. */
	r = memory_read_from(memory, (uintptr_t)head, &h, sizeof(h));
	/* The thread that shows the memory may have ended. */
	if (r < 0 && memory->tid != tid)
		r = memory_read(proc, tid, (uintptr_t)head, &h, sizeof(h));
	return r == 0 && ((uintptr_t)h.list.next & ~(uintptr_t)1) != (uintptr_t)head;
}

int futex_words_held(struct futex_words *words, int proc, uint32_t tid, const struct regions *regions)
{
	struct robust_list_head *head = NULL;
	size_t size = 0;

	if (syscall(SYS_get_robust_list, (pid_t)tid, &head, &size) < 0)
		return errno == EPERM || errno == EACCES ? -EPERM : 0;
	if (!head || size != sizeof(*head))
		return 0;
	return add_list(words, proc, tid, (uintptr_t)head, regions);
}
