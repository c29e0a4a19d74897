/* SPDX-License-Identifier: MIT */
/* Reading files whole, relative to a directory descriptor. */
#pragma once

#include "lib/buf.h"

/*
 * Appends the contents of path (below dirfd, AT_FDCWD allowed) to b. For files
 * of /proc and /sys only: it opens what it is told to. 0 or -errno.
 */
int read_file_at(int dirfd, const char *path, struct buf *b) _must_check_;
/* The same into a place of the caller's, by one read(2), which is how the kernel tells a small one: bytes
 * read, or -errno. */
ssize_t read_small_at(int dirfd, const char *path, char *text, size_t size) _must_check_;
/* Appends what is left to read of fd to b. 0 or -errno. */
int read_fd(int fd, struct buf *b) _must_check_;
/*
 * The lines of a file of /proc, a chunk of it in memory at a time. Initialise with
 * the descriptor; it stays the caller's.
 */
struct line_reader {
	int fd;
	size_t at; /* of the next line in text */
	bool ended;
	bool skipping; /* inside a line that is too long */
	size_t reads;  /* so far: what one of them gave the kernel may have told at one moment */
	struct buf text;
};

/* The next line, without its newline, valid until the next call. One that is longer
 * than 64 KiB is skipped. 1, 0 at the end, or -errno. */
int line_reader_next(struct line_reader *reader, struct span *line) _must_check_;
void line_reader_free(struct line_reader *reader);
/*
 * The names in a directory, "." and ".." left out. Initialise with the descriptor; it
 * stays the caller's, and its position moves.
 */
struct dir_reader {
	int fd;
	char *buffer; /* of getdents64(2) */
	long at, end;
	size_t most;	    /* bytes of names to ask for at one go; 0: as many as are good */
	unsigned char type; /* of the name that was told last: DT_REG and the like of readdir(3) */
};

/* The next name, valid until the next call. 1, 0 at the end, or -errno. */
int dir_reader_next(struct dir_reader *reader, const char **name) _must_check_;
/* Frees the buffer, and keeps nothing. */
void dir_reader_free(struct dir_reader *reader);
/* Reads at most max bytes at offset into b; stops early only at the end of the
 * file. 0 or -errno. */
int pread_into(int fd, uint64_t offset, size_t max, struct buf *b) _must_check_;
