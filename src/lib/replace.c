/* SPDX-License-Identifier: MIT */
#include "lib/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Descriptor of the directory of path, and the name in it. */
static int open_directory(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(free_ptr) char *directory = NULL;
	int fd;

	*name = slash ? slash + 1 : path;
	if (**name == '\0')
		return -EISDIR;
	directory = !slash	  ? strdup(".") :
		    slash == path ? strdup("/") :
				    strndup(path, (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text = span_from(text, (size_t)n);
	}
	return 0;
}

/* A new file in the directory; readers that take every file with a suffix do not take it for one. */
static int make_beside(int directory, const char *name, char beside[static NAME_MAX + 1])
{
	int fd = -1;

	for (unsigned i = 0; fd < 0 && i < 100; i++) {
		if (snprintf(beside, NAME_MAX + 1, ".%.200s.%d-%u", name, (int)getpid(), i) > NAME_MAX)
			return -ENAMETOOLONG;
		fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	return fd < 0 ? -EBUSY : fd;
}

/* Whether what is there, if anything, may be replaced: a device or a FIFO is somebody's mistake. */
static int check_target(int directory, const char *name)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) ? 0 : S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
}

int replace_file(const char *path, struct span text, unsigned mode)
{
	const char *name;
	char beside[NAME_MAX + 1];
	_cleanup_(close_fd) int directory = open_directory(path, &name), fd = -1;
	int e;

	if (directory < 0)
		return directory;
	e = check_target(directory, name);
	if (e < 0)
		return e;
	fd = make_beside(directory, name, beside);
	if (fd < 0)
		return fd;
	e = write_all(fd, text);
	if (e == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		e = -errno;
	if (e == 0 && renameat(directory, beside, directory, name) < 0)
		e = -errno;
	if (e < 0)
		unlinkat(directory, beside, 0);
	/* The name, too, is to be there after a crash. If that fails, the new text is there all the same. */
	else
		(void)fsync(directory);
	return e;
}
