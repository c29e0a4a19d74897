/* SPDX-License-Identifier: MIT */
/* Named semaphores: made by this libc, or written byte by byte in the layouts
 * of others (sysdeps/nptl/internaltypes.h of glibc, src/thread/sem_*.c of musl). */
#include "factory.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_futex_time64
#define __NR_futex_time64 -1
#endif

static void wait_on(const void *argument)
{
	sem_t *const *semaphore = argument;

	while (sem_wait(*semaphore) < 0 && errno == EINTR)
		;
}

void make_posix_sem(struct job *job)
{
	struct args *args = &job->args;
	struct bytes name = arg_bytes(args, "name", NULL);
	uint64_t value = arg_u64(args, "value", 0), waiters = arg_u64(args, "block", 0);
	mode_t mode = arg_mode(args, "mode", 0600);
	sem_t *semaphore = sem_open(name.data, O_CREAT | O_EXCL, mode, (unsigned)value);
	int now;

	if (semaphore == SEM_FAILED)
		die("sem_open");
	for (uint64_t i = 0; i < waiters; i++)
		task_wait_blocked(task_start(&job->tasks, wait_on, &semaphore), __NR_futex,
				  __NR_futex_time64);
	if (sem_getvalue(semaphore, &now) < 0)
		die("sem_getvalue");
	truth_hex(&job->truth, "name_hex", name);
	truth_i64(&job->truth, "value", now);
	truth_u64(&job->truth, "waiters", waiters);
}

static const struct layout {
	const char *name;
	size_t words; /* of 32 bits */
	int waiters;  /* index of the word that counts them */
	int shared;   /* index of the word that says "process-shared" ... */
	uint32_t shared_value; /* ... and how */
	bool shifted; /* word 0 is value << 1 | someone waits */
} layouts[] = {
	{ "glibc-64", 8, 1, 2, 0x80, false },
	{ "glibc-32", 4, 3, 1, 0x80, true },
	{ "musl-64", 8, 1, 2, 0, false },
	{ "musl-32", 4, 1, 2, 0, false },
};

static const struct layout *find_layout(const char *name)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (strcmp(layouts[i].name, name) == 0)
			return &layouts[i];
	wrong("%s: no such layout", name);
}

void make_posix_sem_file(struct job *job)
{
	struct args *args = &job->args;
	struct bytes path = arg_bytes(args, "path", NULL);
	const struct layout *layout = find_layout(arg_text(args, "layout", "glibc-64"));
	uint32_t value = arg_u64(args, "value", 0), waiters = arg_u64(args, "waiters", 0);
	uint32_t words[8] = { 0 };
	int fd = open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, arg_mode(args, "mode", 0600));
	ssize_t size = layout->words * sizeof(words[0]);

	words[layout->waiters] = waiters;
	words[layout->shared] = layout->shared_value;
	words[0] = layout->shifted ? value << 1 | (waiters > 0) : value;
	if (fd < 0 || write(fd, words, size) != size)
		die("semaphore file");
	close(fd);
	truth_hex(&job->truth, "path_hex", path);
	truth_u64(&job->truth, "size", size);
}
