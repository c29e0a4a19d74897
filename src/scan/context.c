/* SPDX-License-Identifier: MIT */
#include "scan/context.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/parse.h"

/* Inode number of the first PID namespace (PROC_PID_INIT_INO in include/linux/proc_ns.h). */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

void read_own_link(const char *name, char *text, size_t size)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	n = readlink(path, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
}

bool proc_is_initial(int proc)
{
	char link[sizeof(INITIAL_PID_NAMESPACE) + 8];
	ssize_t n = readlinkat(proc, "self/ns/pid", link, sizeof(link));

	return n > 0 && span_is((struct span){ link, (size_t)n }, INITIAL_PID_NAMESPACE);
}

/* A /proc that was mounted in another PID namespace calls us by another number, or
 * by none: then the numbers that the kernel tells us elsewhere mean others there. */
static bool shows_own_pids(int proc)
{
	char link[24];
	ssize_t n = readlinkat(proc, "self", link, sizeof(link));
	uint64_t pid;

	return n > 0 && parse_u64((struct span){ link, (size_t)n }, &pid) == 0 && pid == (uint64_t)getpid();
}

int scan_context_open(struct scan_context *context, const char *procfs)
{
	struct statfs fs;
	struct stat st;

	*context = (struct scan_context){ .own_proc = !procfs };
	context->proc = open(procfs ? procfs : "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (context->proc < 0)
		return -errno;
	context->recorded = fstatfs(context->proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC;
	context->own_pids = shows_own_pids(context->proc);
	/* Every proc has it, with subset=pid too; a recorded tree brings its own. */
	if (fstatat(context->proc, "self", &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	    fstatat(context->proc, "sysvipc", &st, 0) < 0) {
		close_fd(&context->proc);
		return -ENOTDIR;
	}
	return 0;
}

void scan_context_close(struct scan_context *context)
{
	free(context->places);
	close_fd(&context->proc);
}
