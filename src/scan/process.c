/* SPDX-License-Identifier: MIT */
#include "scan/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"

/* One number of the line, counted from 1; those of no interest are passed over. */
static int take_field(struct process_stat *out, int field, struct span word)
{
	enum {
		FIELD_SESSION = 6,
		FIELD_TERMINAL = 7,
		FIELD_FOREGROUND = 8,
		FIELD_THREADS = 20,
		FIELD_START = 22,
		FIELD_EXIT_SIGNAL = 38
	};
	uint64_t number = 0;
	int64_t group = 0;
	int r = 0;

	switch (field) {
	case FIELD_SESSION: /* -1 of one that is just being reaped */
		r = parse_i64(word, &group);
		out->session = group > 0 ? (uint32_t)group : 0;
		break;
	case FIELD_TERMINAL: /* printed as a signed number */
		r = parse_i64(word, &group);
		out->terminal = (uint32_t)group;
		break;
	case FIELD_FOREGROUND:
		r = parse_i64(word, &group);
		out->foreground = (int32_t)group;
		break;
	case FIELD_THREADS:
		r = parse_u64_in(word, 0, INT32_MAX, &number);
		out->threads = (uint32_t)number;
		break;
	case FIELD_START:
		r = parse_u64(word, &out->start_ticks);
		break;
	case FIELD_EXIT_SIGNAL:
		r = parse_i64(word, &group);
		out->is_thread = group < 0;
		break;
	default:
		break;
	}
	return r < 0 ? -EINVAL : 0;
}

int process_stat_parse(struct span text, struct process_stat *out)
{
	/* Field 22 counted from 1; state is field 3, the first behind the name. */
	const int state = 3, start = 22;
	const char *open = memchr(text.ptr, '(', text.len);
	const char *close = memrchr(text.ptr, ')', text.len);
	struct span rest, word;
	int field = state, r = 0;

	if (!open || !close || close < open)
		return -EINVAL;
	*out = (struct process_stat){ .command = { open + 1, (size_t)(close - open - 1) } };
	rest = span_from(text, (size_t)(close + 1 - text.ptr));
	for (; r == 0 && next_word(&rest, &word); field++) {
		if (field == state)
			out->state = word.ptr[0];
		else
			r = take_field(out, field, word);
	}
	return r < 0 ? r : field > start ? 0 : -EINVAL;
}

int process_stat_read(int dir, const char *path, char text[static STAT_MOST], struct process_stat *out)
{
	ssize_t n = read_small_at(dir, path, text, STAT_MOST);

	return n < 0 ? (int)n : process_stat_parse((struct span){ text, (size_t)n }, out);
}

/* What is not in /proc may be hidden from us (hidepid); the kernel still says
 * whether it is there. */
static int missing(const struct scan_context *context, uint32_t pid)
{
	if (context->own_proc && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
		return -EACCES;
	return -ENOENT;
}

static void read_process(struct process *p, const struct scan_context *context, int64_t boot,
			 struct arena *arena)
{
	char path[32], text[STAT_MOST];
	struct process_stat stat;
	struct stat st;

	if (!context->own_pids) {
		p->error = -ENOTSUP;
		return;
	}
	snprintf(path, sizeof(path), "%u/stat", p->pid);
	p->error = process_stat_read(context->proc, path, text, &stat);
	if (p->error == -ESRCH || p->error == -ENOENT)
		p->error = missing(context, p->pid);
	if (p->error != 0)
		return;
	snprintf(path, sizeof(path), "%u", p->pid);
	p->error = fstatat(context->proc, path, &st, 0) < 0 ? -errno : 0;
	if (p->error < 0)
		return;
	p->uid = st.st_uid;
	p->state = stat.state;
	p->start = process_start(stat.start_ticks, boot);
	p->earliest = process_earliest(stat.start_ticks, boot);
	p->threads = stat.threads;
	p->command = arena_span(arena, stat.command);
	if (!p->command.ptr)
		p->error = -ENOMEM;
}

const struct process *process_get(struct processes *p, const struct scan_context *context, uint32_t pid)
{
	const struct hash_slot *slot = hash_find(&p->index, pid, NULL);
	struct process *process = NULL;

	if (slot)
		return p->items[slot->value];
	if (vec_reserve(&p->items, p->count, sizeof(*p->items)) == 0)
		process = arena_calloc(&p->arena, 1, sizeof(*process));
	if (!process || hash_add(&p->index, pid, (uint32_t)p->count) < 0) {
		p->failed = true;
		return NULL;
	}
	process->pid = pid;
	if (!p->clock.boot)
		p->clock.boot = boot_time();
	read_process(process, context, p->clock.boot, &p->arena);
	p->failed |= process->error == -ENOMEM;
	p->items[p->count++] = process;
	return process;
}

void processes_free(struct processes *p)
{
	hash_free(&p->index);
	free(p->items);
	arena_free(&p->arena);
	*p = (struct processes){ 0 };
}

int64_t read_numbers(int dir, uint32_t **numbers)
{
	/* Most have few: a large buffer would cost more than what is read into it. */
	const size_t size = 8192;
	_cleanup_(dir_reader_free) struct dir_reader reader = { .fd = dir, .most = size };
	const char *name;
	size_t count = 0;
	uint64_t v;
	int r;

	*numbers = NULL;
	if (dir < 0)
		return -errno;
	reader.buffer = malloc(size);
	if (!reader.buffer)
		return -ENOMEM;
	while ((r = dir_reader_next(&reader, &name)) > 0) {
		if (name[0] < '0' || name[0] > '9' || parse_u64_in(span_of(name), 0, INT32_MAX, &v) < 0)
			continue;
		if (vec_reserve(numbers, count, sizeof(**numbers)) < 0)
			return -ENOMEM;
		(*numbers)[count++] = (uint32_t)v;
	}
	return r < 0 ? r : (int64_t)count;
}
