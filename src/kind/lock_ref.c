/* SPDX-License-Identifier: MIT */
/* References to locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kind/lock.h"
#include "lib/parse.h"
#include "scan/fdinfo.h"
#include "scan/mountinfo.h"

/* What is looked for. */
struct sought {
	uint64_t dev, ino; /* as the kernel shows them */
	uint64_t subvolume;
	bool any_subvolume;
	unsigned types;
};

int lock_range_parse(struct span text, struct lock_range *range)
{
	const char *dash = memchr(text.ptr, '-', text.len);
	struct span start = { text.ptr, dash ? (size_t)(dash - text.ptr) : 0 }, end;

	if (!dash || parse_u64_in(start, 0, LOCK_EOF, &range->start) < 0)
		return -EINVAL;
	end = span_from(text, start.len + 1);
	range->end = LOCK_EOF;
	return span_is(end, "EOF") || parse_u64_in(end, range->start, LOCK_EOF, &range->end) == 0 ? 0 :
												    -EINVAL;
}

/* The file at a path as locks show it. 0 or -errno. */
static int seek_path(struct span path, struct sought *sought)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	_cleanup_(free_ptr) char *name = strndup(path.ptr, path.len);
	_cleanup_(close_fd) int fd = name ? open(name, O_PATH | O_CLOEXEC) : -1;
	const struct mount *mount;
	struct fdinfo info;
	char number[12];
	struct stat st;
	uint64_t id;
	int r;

	if (!name)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", fd);
	r = fdinfo_read_own(&info, number);
	if (r == 0)
		r = fdinfo_number(&info, "mnt_id:", &id);
	if (r == 0)
		r = mounts_read(&mounts);
	if (r != 0)
		return r;
	mount = mounts_find(&mounts, id);
	sought->dev = mount ? mount->dev : st.st_dev;
	/* Before Linux 5.14 stat(2) alone tells. */
	if (fdinfo_number(&info, "ino:", &sought->ino) < 0)
		sought->ino = st.st_ino;
	sought->subvolume = mount && mount->flags & MOUNT_SUBVOLUMES ? st.st_dev : 0;
	return 0;
}

/* Adds the locks of one line: those that somebody holds, or the line of /proc/locks itself. */
static int add_line(const struct snapshot *s, const struct sought *sought, const struct lock_line *line,
		    struct matches *m)
{
	const struct lock_set *set = &s->holders.locks;
	const struct hash_slot *slot = NULL;
	const struct proc_lock *told;

	while ((slot = lock_set_next(set, line, slot)) != NULL) {
		struct object_key key = { OBJECT_LOCK, 0, slot->value };

		if (!sought->any_subvolume && set->items[slot->value].subvolume != sought->subvolume)
			continue;
		if (matches_found(m, holders_position(&s->holders, &key)) < 0)
			return -ENOMEM;
	}
	told = lock_set_next(set, line, NULL) ? NULL : proc_locks_find(&s->locks, line);
	if (!told || told->gone)
		return 0;
	return matches_add(m, held_count(s, OBJECT_LOCK) + (size_t)(told - s->locks.items));
}

/* By what a lock of that file and range can be. */
static int add_lines(const struct snapshot *s, const struct sought *sought, const struct lock_range *range,
		     struct matches *m)
{
	struct lock_line line = {
		.dev = sought->dev, .ino = sought->ino, .start = range->start, .end = range->end
	};
	int r = 0;

	for (unsigned type = 0; type <= LOCK_LEASE; type++)
		for (int write = 0; write <= (type == LOCK_LEASE ? 0 : 1) && sought->types >> type & 1;
		     write++) {
			line.type = (enum lock_type)type;
			line.write = write;
			r = r < 0 ? r : add_line(s, sought, &line, m);
		}
	return r;
}

/* Goes through all of them. */
static int add_file(const struct snapshot *s, const struct sought *sought, struct matches *m)
{
	for (size_t i = 0; i < lock_count(s); i++) {
		struct lock lock = lock_at(s, i);

		if (lock.line.dev != sought->dev || lock.line.ino != sought->ino ||
		    (lock.looked && !sought->any_subvolume && lock.subvolume != sought->subvolume) ||
		    !lock_owns(s, i, sought->types))
			continue;
		if (matches_add(m, i) < 0)
			return -ENOMEM;
	}
	return 0;
}

int lock_resolve(struct snapshot *s, struct span id, unsigned types, const struct lock_range *range,
		 const char *like, struct matches *m, struct report *report)
{
	const struct lock_range whole = { 0, LOCK_EOF };
	struct sought sought = { .types = types };
	int r = 0;

	if (span_starts(id, "/")) {
		r = seek_path(id, &sought);
		if (r < 0)
			return matches_unreached(m, r);
	} else if (parse_file_key(id, &sought.dev, &sought.ino) == 0) {
		sought.any_subvolume = true;
	} else {
		report_text(report, "expected %s, or MAJOR:MINOR:INODE for the path", like);
		return -EINVAL;
	}
	if (range)
		return add_lines(s, &sought, range, m);
	if (types & (1 << LOCK_POSIX | 1 << LOCK_OFD))
		return add_file(s, &sought, m);
	return add_lines(s, &sought, &whole, m);
}
