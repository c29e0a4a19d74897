/* SPDX-License-Identifier: MIT */
#include "scan/cached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define MOST_TRIES 8

int lookup_cached(int dir, const char *path, bool in_root, bool final, struct statx *stx)
{
	struct open_how how = {
		.flags = (uint64_t)O_PATH | O_CLOEXEC | (final ? 0 : O_NOFOLLOW),
		.resolve = RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS | (in_root ? RESOLVE_IN_ROOT : 0),
	};
	_cleanup_(close_fd) int fd = -1;

	/* A rename or mount elsewhere disturbs the look-up, too. */
	for (int tries = 0; fd < 0 && tries < MOST_TRIES && (tries == 0 || errno == EAGAIN); tries++)
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	/* Old seccomp profiles refuse what they do not know with EPERM. */
	if (fd < 0)
		return errno == ENOSYS || errno == EINVAL || errno == EPERM ? -EAGAIN : -errno;
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, stx) < 0 ? -errno : 0;
}
