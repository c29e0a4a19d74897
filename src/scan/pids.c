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
	char path[32], text[STAT_MOST];
	struct process_stat stat;
	int r;

	snprintf(path, sizeof(path), "%u/stat", pid);
	r = process_stat_read(context->proc, path, text, &stat);
	if (r == 0)
		*ticks = stat.start_ticks;
	return r;
}

int pids_may_hide(int proc, uint64_t seen)
{
	struct span rest, word;
	const char *slash;
	char text[128];
	uint64_t all;
	ssize_t n;

	if (!proc_is_initial(proc))
		return 1;
	/* "0.00 0.01 0.05 1/123 4567": of all threads of the kernel one runs. */
	n = read_small_at(proc, "loadavg", text, sizeof(text));
	/* It may be left out: subset=pid. */
	if (n < 0)
		return n == -ENOENT || n == -EACCES || n == -EPERM ? 1 : (int)n;
	rest = (struct span){ text, (size_t)n };
	for (int i = 0; i < 4; i++)
		if (!next_word(&rest, &word))
			return 1;
	slash = memchr(word.ptr, '/', word.len);
	if (!slash || parse_u64(span_from(word, (size_t)(slash - word.ptr) + 1), &all) < 0)
		return 1;
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

void pids_warn_hidden(int proc, int hidden, const char *text, struct warnings *warnings)
{
	const struct warning uncounted = { .subject = "/proc/loadavg", .error = -hidden, .text = text };
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

	if (hidden < 0) {
		warnings_add(warnings, &uncounted);
		return;
	}
	if (hidepid)
		warnings_add(warnings, &by_mount);
	if (inside)
		warnings_add(warnings, &by_namespace);
	if (!hidepid && !inside)
		warnings_add(warnings, &unexplained);
}
