/* SPDX-License-Identifier: MIT */
#include "scan/pids.h"

#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/process.h"

int pid_start_ticks(const struct scan_context *context, uint32_t pid, uint64_t *ticks)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct process_stat stat;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%u/stat", pid);
	r = read_file_at(context->proc, path, &text);
	if (r == 0)
		r = process_stat_parse(buf_span(&text), &stat);
	if (r == 0)
		*ticks = stat.start_ticks;
	return r;
}

bool pids_may_hide(int proc, uint64_t seen)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	struct span rest, word;
	const char *slash;
	uint64_t all;

	if (!proc_is_initial(proc))
		return true;
	/* "0.00 0.01 0.05 1/123 4567": of all threads of the kernel one runs. */
	if (read_file_at(proc, "loadavg", &text) < 0)
		return true;
	rest = buf_span(&text);
	for (int i = 0; i < 4; i++)
		if (!next_word(&rest, &word))
			return true;
	slash = memchr(word.ptr, '/', word.len);
	if (!slash || parse_u64(span_from(word, (size_t)(slash - word.ptr) + 1), &all) < 0)
		return true;
	return all > seen + 16 + all / 32;
}
