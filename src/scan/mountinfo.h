/* SPDX-License-Identifier: MIT */
/* Lines of /proc/PID/mountinfo (proc(5)). */
#pragma once

#include "lib/buf.h"

struct mount_line {
	uint64_t id;
	uint64_t major, minor; /* of the file system: sb->s_dev */
	struct span target;    /* where it is mounted, still escaped */
	struct span fstype;
	struct span super; /* options of the file system */
};

/* 0 or -EINVAL. Spans point into line. */
int mountinfo_parse(struct span line, struct mount_line *out) _must_check_;
/* Appends a path with its octal escapes (space, tab, newline, backslash) undone. */
void mountinfo_unescape(struct span path, struct buf *out);
/*
 * Devices of the file systems that this process sees and whose inode numbers repeat: each
 * subvolume of a btrfs has its own, but maps and mountinfo show one device for all. Appends to
 * *devices (the caller's to free), makedev(3). 0 or -errno.
 */
int mountinfo_ambiguous(uint64_t **devices, size_t *count) _must_check_;
