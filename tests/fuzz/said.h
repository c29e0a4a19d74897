/* SPDX-License-Identifier: MIT */
/* What is said on standard error: one line for each complaint, fit to be shown. */
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "lib/diag.h"
#include "shown.h"

/* Messages go to a piece of memory. */
static inline struct diag said_begin(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("said", MFD_CLOEXEC);
	EXPECT(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return (struct diag){ .fd = fd };
}

static inline void said_check(const struct diag *d, size_t least, size_t most)
{
	static char text[1 << 16];
	ssize_t n = pread(d->fd, text, sizeof(text), 0);
	struct span all = { text, n > 0 ? (size_t)n : 0 };
	size_t lines = count_bytes(all, '\n');

	EXPECT(n >= 0 && is_shown(all, "\n") && lines >= least && lines <= most);
	EXPECT(n == 0 || (text[n - 1] == '\n' && span_starts(all, "ipcctl: ")));
}
