/* SPDX-License-Identifier: MIT */
#include "scan/proclink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/parse.h"

int proc_link_error(int dir, const char *path, int error)
{
	struct stat st;

	if (error == -EACCES && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	    (errno == ENOENT || errno == ESRCH))
		return -ESRCH;
	return error;
}

ssize_t proc_link_read(int dir, const char *path, char *text, size_t size)
{
	ssize_t n = readlinkat(dir, path, text, size);

	return n < 0 ? proc_link_error(dir, path, -errno) : n;
}

uint64_t namespace_number(int dir, const char *path)
{
	char link[64];
	ssize_t n = proc_link_read(dir, path, link, sizeof(link));
	const char *open = n > 0 ? memchr(link, '[', (size_t)n) : NULL;
	uint64_t number;

	if (n < 0)
		errno = (int)-n;
	if (!open || link[n - 1] != ']' ||
	    parse_u64((struct span){ open + 1, (size_t)(link + n - 1 - (open + 1)) }, &number) < 0)
		return 0;
	return number;
}
