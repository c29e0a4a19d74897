/* SPDX-License-Identifier: MIT */
#include "scan/slept.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"

int sched_last_run_parse(struct span text, uint64_t *milliseconds)
{
	struct span line, word;
	const char *point;

	/* "se.exec_start     :      11446618.815516" */
	while (next_line(&text, &line)) {
		if (!next_word(&line, &word) || !span_is(word, "se.exec_start"))
			continue;
		/* NOLINTNEXTLINE(misc-redundant-expression): each takes the next word */
		if (!next_word(&line, &word) || !next_word(&line, &word))
			return -EINVAL;
		point = memchr(word.ptr, '.', word.len);
		if (point)
			word.len = (size_t)(point - word.ptr);
		return parse_u64(word, milliseconds);
	}
	return -ENOENT;
}

static int last_run(int proc, const char *path, uint64_t *milliseconds)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	int r = read_file_at(proc, path, &text);

	return r < 0 ? r : sched_last_run_parse(buf_span(&text), milliseconds);
}

/* The processor that a thread ran on last: field 39 of its stat. Or -errno. */
static int last_processor(int proc, const char *path)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, word;
	const char *end;
	uint64_t number;
	int r = read_file_at(proc, path, &text);

	if (r < 0)
		return r;
	end = text.len > 0 ? memrchr(text.data, ')', text.len) : NULL;
	if (!end)
		return -EINVAL;
	rest = span_from(buf_span(&text), (size_t)(end - text.data) + 1);
	for (int field = 3; field <= 39; field++)
		if (!next_word(&rest, &word))
			return -EINVAL;
	return parse_u64_in(word, 0, CPU_SETSIZE - 1, &number) < 0 ? -EINVAL : (int)number;
}

/* The clock of a processor, as last_run() tells it of a thread that runs there: this one. */
static int clock_of(int proc, int processor, uint64_t *milliseconds)
{
	cpu_set_t before, there;
	int r;

	CPU_ZERO(&there);
	CPU_SET((size_t)processor, &there);
	if (sched_getaffinity(0, sizeof(before), &before) < 0 ||
	    sched_setaffinity(0, sizeof(there), &there) < 0)
		return -errno;
	r = last_run(proc, "thread-self/sched", milliseconds);
	if (sched_setaffinity(0, sizeof(before), &before) < 0)
		return -errno;
	return r;
}

int task_slept(const struct scan_context *context, uint32_t pid, uint32_t tid, uint64_t *seconds)
{
	uint64_t then, now = 0;
	char path[48];
	int r, processor;

	if (!context->own_proc)
		return -ENOENT;
	snprintf(path, sizeof(path), "%u/task/%u/sched", pid, tid);
	r = last_run(context->proc, path, &then);
	if (r != 0)
		return r;
	snprintf(path, sizeof(path), "%u/task/%u/stat", pid, tid);
	processor = last_processor(context->proc, path);
	r = processor < 0 ? processor : clock_of(context->proc, processor, &now);
	if (r == 0)
		*seconds = now > then ? (now - then) / 1000 : 0;
	return r;
}
