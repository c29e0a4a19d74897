/* SPDX-License-Identifier: MIT */
#include "scan/fdtable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "lib/parse.h"

/* Of the descriptor 0 (proc_readfd_common() in fs/proc/fd.c). */
#define FIRST_POSITION 2

/* Bytes of names that are read behind a gap: one or two of them first, then ever more. */
#define SHORT_BATCH 48
#define LONG_BATCH 65536

/* So many numbers in use one after the other pay for the look behind the next gap. */
#define LONG_RUN 16

/* The first number that the directory tells from a position on, or -1. */
static int first_behind(int dir, int position)
{
	_cleanup_(dir_reader_free) struct dir_reader names = { .fd = dir };
	const char *name;
	uint64_t fd;

	if (lseek(dir, position, SEEK_SET) < 0 || dir_reader_next(&names, &name) <= 0 ||
	    parse_u64_in(span_of(name), 0, INT32_MAX, &fd) < 0)
		return -1;
	return (int)fd;
}

bool fd_positions_known(int proc)
{
	_cleanup_(close_fd) int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	/* Tried on our own: the directory is a descriptor that is there, and stays. */
	return dir >= 0 && fstatfs(proc, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
	       first_behind(dir, dir + FIRST_POSITION) == dir &&
	       first_behind(dir, dir + FIRST_POSITION + 1) != dir;
}

/* Has the directory tell what is in use behind the last number: the more, the sooner there was a gap
 * again. 0 or -errno. */
static int begin_listing(struct fd_reader *r)
{
	if (r->names.most == 0 || r->run >= LONG_RUN)
		r->names.most = SHORT_BATCH;
	else if (r->names.most < LONG_BATCH)
		r->names.most *= 4;
	r->listing = true;
	r->told = 0;
	r->names.at = r->names.end = 0;
	return lseek(r->names.fd, r->last + 1 + FIRST_POSITION, SEEK_SET) < 0 ? -errno : 0;
}

/* What the directory told at one go is over: if most numbers were in use, it is as quick to try the next
 * ones. A number that is not costs as much as one that is listed. */
static void end_batch(struct fd_reader *r)
{
	if (r->told > 0 && r->last - r->first + 1 < 2 * r->told) {
		r->listing = r->missed = false;
		r->run = 0;
		return;
	}
	r->told = 0;
	if (r->names.most < LONG_BATCH)
		r->names.most *= 4;
}

static int next_in_directory(struct fd_reader *r, const char **name)
{
	uint64_t fd;
	int n;

	while ((n = dir_reader_next(&r->names, name)) > 0) {
		if (parse_u64_in(span_of(*name), 0, INT32_MAX, &fd) < 0)
			continue;
		r->last = (int)fd;
		if (r->told++ == 0)
			r->first = r->last;
		return 1;
	}
	return n;
}

int fd_reader_next(struct fd_reader *r, const char **name)
{
	int e = 0;

	if (!r->counting)
		return next_in_directory(r, name);
	if (!r->listing && r->missed)
		e = begin_listing(r);
	else if (r->listing && r->names.at >= r->names.end)
		end_batch(r);
	if (e < 0 || r->listing)
		return e < 0 ? e : next_in_directory(r, name);
	r->last++;
	r->run++;
	r->name[format_u64(r->name, (uint64_t)r->last)] = '\0';
	*name = r->name;
	return 1;
}

void fd_reader_missed(struct fd_reader *r)
{
	r->missed = true;
	r->run--;
}
