/* SPDX-License-Identifier: MIT */
#include "cmd/pids.h"

#include <stdio.h>

#include "lib/file.h"
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
