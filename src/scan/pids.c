/* SPDX-License-Identifier: MIT */
#include "scan/pids.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/fdinfo.h"
#include "scan/mountinfo.h"
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

/* Whether this process is a member of the group. */
static bool is_member(uint64_t gid)
{
	_cleanup_(free_ptr) gid_t *groups = NULL;
	int n = getgroups(0, NULL);

	if (getegid() == gid)
		return true;
	groups = n > 0 ? calloc((size_t)n, sizeof(*groups)) : NULL;
	n = groups ? getgroups(n, groups) : 0;
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/*
 * Whether a proc file system with these options shows this process only those that it may look at:
 * "hidepid=ptraceable", or "hidepid=invisible" unless it is in the group that "gid=" exempts, which is
 * group 0 if nothing is said (has_pid_permissions() in fs/proc/base.c). Kernels before 5.8 say 2.
 */
static bool hides_others(struct span options)
{
	bool invisible = false, ptraceable = false;
	uint64_t gid = 0;

	while (options.len > 0) {
		const char *comma = memchr(options.ptr, ',', options.len);
		struct span option = { options.ptr, comma ? (size_t)(comma - options.ptr) : options.len };

		options = span_from(options, option.len + (comma != NULL));
		invisible |= span_is(option, "hidepid=invisible") || span_is(option, "hidepid=2");
		ptraceable |= span_is(option, "hidepid=ptraceable") || span_is(option, "hidepid=4");
		if (span_starts(option, "gid="))
			(void)!parse_u64(span_from(option, 4), &gid);
	}
	return ptraceable || (invisible && !is_member(gid));
}

/* Whether the /proc of this descriptor is mounted so that it hides processes from this one; who may look at
 * every process sees them all. */
static bool is_hidepid(int proc)
{
	_cleanup_(close_fd) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct mount_line mount;
	struct fdinfo info;
	struct span line;
	char name[12];
	uint64_t id;

	snprintf(name, sizeof(name), "%d", proc);
	if (capability_has(CAP_SYS_PTRACE) || fd < 0 || fdinfo_read_own(&info, name) < 0 ||
	    fdinfo_number(&info, "mnt_id:", &id) < 0)
		return false;
	while (line_reader_next(&reader, &line) > 0)
		if (mountinfo_parse(line, &mount) == 0 && mount.id == id)
			return span_is(mount.fstype, "proc") && hides_others(mount.super);
	return false;
}

void pids_warn_hidden(int proc, const char *text, struct warnings *warnings)
{
	const struct warning by_mount = { .subject = "/proc",
					  .error = EACCES,
					  .text = text,
					  .because = "hidepid: /proc hides those of others",
					  .unseen = "processes of others, which /proc hides: hidepid",
					  .rights = RIGHTS_OF_MAPPINGS };
	const struct warning by_namespace = { .subject = "/proc",
					      .error = EACCES,
					      .text = text,
					      .because = "they are outside this PID namespace",
					      .unseen = "processes outside this PID namespace" };
	const struct warning unexplained = { .subject = "/proc",
					     .error = EACCES,
					     .text = text,
					     .unseen = "processes that /proc does not show" };
	bool hidepid = is_hidepid(proc), inside = !proc_is_initial(proc);

	if (hidepid)
		warnings_add(warnings, &by_mount);
	if (inside)
		warnings_add(warnings, &by_namespace);
	if (!hidepid && !inside)
		warnings_add(warnings, &unexplained);
}
