/* SPDX-License-Identifier: MIT */
/*
 * A directory that looks like a /proc, for code that reads files of it by name. Each file leads to a piece of
 * memory, so that nothing is written to a disk. It lies below TMPDIR, which tests/fuzz/run takes away.
 */
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define TREE_FILES 16

struct tree {
	int dir; /* its descriptor */
	const char *names[TREE_FILES];
	int files[TREE_FILES];
	size_t count;
};

/* Makes it; once for all inputs. */
static inline void tree_open(struct tree *t)
{
	const char *parent = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/ipcctl-fuzz-XXXXXX", parent ? parent : "/tmp");
	EXPECT(mkdtemp(path));
	t->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(t->dir >= 0);
}

static inline int tree_add(struct tree *t, const char *name)
{
	char path[64], target[40];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	EXPECT(fd >= 0 && t->count < TREE_FILES && strlen(name) < sizeof(path));
	strcpy(path, name);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		EXPECT(mkdirat(t->dir, path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	EXPECT(symlinkat(target, t->dir, name) == 0);
	t->names[t->count] = name;
	t->files[t->count++] = fd;
	return fd;
}

/* Writes a file, a literal name such as "7/stat". */
static inline void tree_put(struct tree *t, const char *name, struct span text)
{
	size_t i = 0;
	int fd;

	while (i < t->count && strcmp(t->names[i], name) != 0)
		i++;
	fd = i < t->count ? t->files[i] : tree_add(t, name);
	EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, text.ptr, text.len, 0) == (ssize_t)text.len);
}
