/* SPDX-License-Identifier: MIT */
/* Lines of /proc/PID/mountinfo (proc(5)). */
#pragma once

#include "lib/arena.h"
#include "lib/buf.h"

struct mount_line {
	uint64_t id;
	uint64_t major, minor; /* of the file system: sb->s_dev */
	struct span root;      /* what of that is mounted: "/", or a directory or file of it; still escaped */
	struct span target;    /* where it is mounted, likewise */
	struct span fstype;
	struct span super; /* options of the file system */
};

/* 0 or -EINVAL. Spans point into line. */
int mountinfo_parse(struct span line, struct mount_line *out) _must_check_;
/* Appends a path with its octal escapes (space, tab, newline, backslash) undone. */
void mountinfo_unescape(struct span path, struct buf *out);

enum mount_flag {
	MOUNT_LOCAL = 1 << 0,	/* neither can it hang, nor do other machines use it */
	MOUNT_STACKED = 1 << 1, /* it can't hang; what it shows may be another file below */
	/* Inode numbers repeat; st_dev tells the files apart: each subvolume of a btrfs has its own, but
	 * maps, locks and mountinfo show one device for all. */
	MOUNT_SUBVOLUMES = 1 << 2,
	MOUNT_REPEATS = 1 << 3, /* inode numbers repeat under one st_dev, too */
	MOUNT_KERNELS = 1 << 4, /* files that the kernel alone makes up, or keeps; nothing can hang */
	MOUNT_DEVICES = 1 << 5, /* the kernel's own devices, the first of which it makes at boot */
};

struct mount {
	uint64_t id;
	uint64_t dev; /* sb->s_dev, makedev(3) */
	unsigned flags;
};

/* The mounts that this process sees, read at once: there may be thousands. Zero-initialise. */
struct mounts {
	struct mount *items; /* in the order of their ids */
	size_t count;
	struct span *layers; /* directories that overlays are made of */
	size_t nlayers;
	struct arena arena;
};

/* 0 or -errno; then the table is empty. */
int mounts_read(struct mounts *m) _must_check_;
/* The same of such a file that somebody has open, and keeps. */
int mounts_read_from(struct mounts *m, int fd) _must_check_;
void mounts_free(struct mounts *m);
/* The mount with this id, or NULL. */
const struct mount *mounts_find(const struct mounts *m, uint64_t id);
/* The flags of the file system of that device; 0: it is mounted nowhere in sight. */
unsigned mounts_flags(const struct mounts *m, uint64_t dev);
/* Whether a path lies in a directory that an overlay is made of; or may, for one that was
 * given relative to who knows what may lie anywhere. */
bool mounts_in_layer(const struct mounts *m, struct span path);

/* Appends the devices of the mounts with these flags, of those in mask, to *devices (the caller's to
 * free). 0 or -ENOMEM. */
int mounts_devices(const struct mounts *m, unsigned flags, unsigned mask, uint64_t **devices,
		   size_t *count) _must_check_;
