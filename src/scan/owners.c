/* SPDX-License-Identifier: MIT */
#include "scan/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"
#include "scan/pids.h"
#include "scan/process.h"

int user_status_parse(struct span text, struct user_status *out)
{
	struct span line, word;
	uint64_t number;
	bool uids = false;

	*out = (struct user_status){ 0 };
	while (next_line(&text, &line)) {
		if (!next_word(&line, &word))
			continue;
		if (span_is(word, "VmSize:"))
			out->memory = true;
		if (span_is(word, "Threads:")) {
			if (next_u64(&line, &number) < 0)
				return -EINVAL;
			out->threads = (uint32_t)number;
		}
		for (size_t i = 0; span_is(word, "Uid:") && i < ARRAY_SIZE(out->uids); i++) {
			if (next_u64(&line, &number) < 0 || number > UINT32_MAX)
				return -EINVAL;
			out->uids[i] = (uint32_t)number;
			uids = i + 1 == ARRAY_SIZE(out->uids);
		}
	}
	return uids && out->threads > 0 ? 0 : -EINVAL;
}

static const struct hash_slot *find(const struct owners *o, uint32_t uid)
{
	const struct hash_slot *slot = NULL;

	while ((slot = hash_find(&o->index, uid, slot)) != NULL)
		if (o->items[slot->value].uid == uid)
			return slot;
	return NULL;
}

const struct user_process *owners_oldest(const struct owners *o, uint32_t uid)
{
	const struct hash_slot *slot = find(o, uid);

	return slot ? &o->items[slot->value] : NULL;
}

static int note(struct owners *o, uint32_t uid, uint32_t pid, const struct process_stat *stat,
		int64_t earliest)
{
	const struct hash_slot *slot = find(o, uid);
	struct user_process *p;

	if (slot && o->items[slot->value].earliest <= earliest)
		return 0;
	if (!slot) {
		if (vec_reserve(&o->items, o->count, sizeof(*o->items)) < 0 ||
		    hash_add(&o->index, uid, (uint32_t)o->count) < 0)
			return -ENOMEM;
		o->count++;
	}
	p = slot ? &o->items[slot->value] : &o->items[o->count - 1];
	*p = (struct user_process){ uid, pid, earliest, arena_span(&o->arena, stat->command) };
	return p->command.ptr ? 0 : -ENOMEM;
}

/* A process that ends meanwhile is no news. */
static int look_at(struct owners *o, const struct scan_context *context, uint32_t pid, int64_t boot,
		   uint64_t *threads)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct user_status status;
	struct process_stat stat;
	char path[24], line[STAT_MOST];
	int r, e = 0;

	snprintf(path, sizeof(path), "%u/status", pid);
	r = read_file_at(context->proc, path, &text);
	if (r == 0)
		r = user_status_parse(buf_span(&text), &status);
	if (r == 0) {
		*threads += status.threads;
		/* The leader's memory is gone with it; that of its threads is not. */
		if (!status.memory && status.threads <= 1)
			return 0;
		snprintf(path, sizeof(path), "%u/stat", pid);
		r = process_stat_read(context->proc, path, line, &stat);
	}
	if (r == -ENOENT || r == -ESRCH)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r != 0) {
		o->complete = false;
		return 0;
	}
	for (size_t i = 0; e == 0 && i < ARRAY_SIZE(status.uids); i++)
		e = note(o, status.uids[i], pid, &stat, process_earliest(stat.start_ticks, boot));
	return e;
}

int owners_read(struct owners *o, const struct scan_context *context)
{
	_cleanup_(free_ptr) uint32_t *pids = NULL;
	_cleanup_(close_fd) int dir = -1;
	int64_t n, boot;
	uint64_t threads = 0;
	int r = 0;

	if (o->read)
		return o->error == -ENOMEM ? -ENOMEM : 0;
	o->read = o->complete = true;
	boot = boot_time();
	dir = openat(context->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = read_numbers(dir, &pids);
	for (int64_t i = 0; r == 0 && i < n; i++)
		if (!context->own_proc || pids[i] != (uint32_t)getpid())
			r = look_at(o, context, pids[i], boot, &threads);
	o->error = n < 0 ? (int)n : r;
	if (o->error < 0 || pids_may_hide(context->proc, threads) != 0)
		o->complete = false;
	return o->error == -ENOMEM ? -ENOMEM : 0;
}

void owners_free(struct owners *o)
{
	hash_free(&o->index);
	free(o->items);
	arena_free(&o->arena);
	*o = (struct owners){ 0 };
}
