/* SPDX-License-Identifier: MIT */
#include "scan/futex_owner.h"

#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/process.h"
#include "scan/scan.h"

/* The last number of "NSpid:\t4711\t12\t1": those of the namespaces from ours inwards. */
static uint32_t last_number(struct span line)
{
	uint64_t number = 0;
	struct span word;

	while (next_word(&line, &word))
		if (parse_u64_in(word, 0, INT32_MAX, &number) < 0)
			return 0;
	return (uint32_t)number;
}

uint32_t task_inner_number(const struct scan_context *context, uint32_t pid, uint32_t tid)
{
	const struct span key = SPAN("NSpid:");
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, line;
	char path[48];

	snprintf(path, sizeof(path), "%u/task/%u/status", pid, tid);
	if (read_file_at(context->proc, path, &text) < 0)
		return 0;
	rest = buf_span(&text);
	while (next_line(&rest, &line))
		if (span_starts(line, key.ptr))
			return last_number(span_from(line, key.len));
	return 0;
}

/* One that has ended owns nothing any more, though its number may still be there: a leader's
 * stays until its threads are gone. */
static bool is_alive(const struct scan_context *context, uint32_t pid, uint32_t tid)
{
	const struct task task = { .pid = pid, .tid = tid };
	char state = task_state(context, &task);

	return state != 'Z' && state != 'X' && state != '?';
}

const struct holding *memory_object_holding(const struct snapshot *s, const struct memory_object *object)
{
	return object->space ? NULL : holders_find(&s->holders, &object->key);
}

/* What has been found among the candidates. */
struct search {
	const struct snapshot *s;
	uint32_t wanted;    /* number in the owner's PID namespace */
	uint64_t namespace; /* ours */
	unsigned found;
	struct futex_owner *owner;
};

static void found(struct search *search, uint32_t pid, uint32_t tid)
{
	if (!is_alive(search->s->context, pid, tid))
		return;
	search->found++;
	search->owner->pid = pid;
	search->owner->tid = tid;
}

static void search_process(struct search *search, uint32_t pid)
{
	int proc = search->s->context->proc;
	_cleanup_(close_fd) int dir = -1;
	_cleanup_(free_ptr) uint32_t *tids = NULL;
	char path[48];
	int64_t n;

	snprintf(path, sizeof(path), "%u/ns/pid", pid);
	if (search->namespace && namespace_number(proc, path) == search->namespace) {
		snprintf(path, sizeof(path), "%u/task/%u", pid, search->wanted);
		if (faccessat(proc, path, F_OK, 0) == 0)
			found(search, pid, search->wanted);
		return;
	}
	snprintf(path, sizeof(path), "%u/task", pid);
	dir = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = dir < 0 ? 0 : read_numbers(dir, &tids);
	for (int64_t i = 0; i < n; i++)
		if (task_inner_number(search->s->context, pid, tids[i]) == search->wanted)
			found(search, pid, tids[i]);
}

void futex_owner_find(const struct snapshot *s, const struct futex *futex, struct futex_owner *owner)
{
	const struct holders *h = &s->holders;
	const struct holding *g = memory_object_holding(s, &futex->object);
	struct search search = { .s = s,
				 .wanted = futex->decoded.owner,
				 .namespace = namespace_number(s->context->proc, "self/ns/pid"),
				 .owner = owner };
	uint32_t last = NO_HOLDING;

	*owner = (struct futex_owner){ .state = OWNER_NONE };
	if (!futex->decoded.owner)
		return;
	if (futex->holder_pid) {
		/* It said so to the kernel, too. */
		*owner = (struct futex_owner){ OWNER_ALIVE, futex->holder_pid, futex->holder_tid };
		return;
	}
	for (; g; g = holding_next(h, g)) {
		/* The holdings of one process stand together. */
		if (g->fd < 0 && g->holder != last) {
			search_process(&search, holding_holder(h, g)->pid);
			last = g->holder;
		}
	}
	if (search.found == 1)
		owner->state = OWNER_ALIVE;
	else if (search.found > 1 || futex->object.space || !h->walked || h->unreadable || h->hidden)
		*owner = (struct futex_owner){ .state = OWNER_UNKNOWN };
	else
		owner->state = OWNER_DEAD;
}
