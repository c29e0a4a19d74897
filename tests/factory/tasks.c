/* SPDX-License-Identifier: MIT */
#include "factory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* valgrind and busy machines included */

static void nap(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}

pid_t task_start(struct tasks *tasks, void (*body)(const void *), const void *argument)
{
	pid_t parent = getpid(), pid;

	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		body(argument);
		_exit(0);
	}
	tasks->pids = realloc(tasks->pids, (tasks->count + 1) * sizeof(*tasks->pids));
	if (!tasks->pids)
		die("memory");
	tasks->pids[tasks->count++] = pid;
	return pid;
}

long task_call(pid_t tid)
{
	char path[64];
	long nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%ld", &nr) != 1)
		nr = -1; /* "running" */
	fclose(f);
	return nr;
}

void task_wait_blocked(pid_t pid, long nr, long alternative)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		long now = task_call(pid);

		if (now >= 0 && (now == nr || now == alternative))
			return;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			wrong("task %d ended instead of blocking", (int)pid);
		nap();
	}
	wrong("task %d never blocked in system call %ld", (int)pid, nr);
}

void wait_until(uint64_t (*answer)(const void *), const void *argument, uint64_t n, const char *what)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (answer(argument) >= n)
			return;
		nap();
	}
	wrong("%s never came to %llu", what, (unsigned long long)n);
}

void tasks_truth(const struct tasks *tasks, struct truth *t)
{
	truth_list(t, "tasks");
	for (size_t i = 0; i < tasks->count; i++)
		truth_item(t, tasks->pids[i]);
	truth_list_end(t);
}

void tasks_end(struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		kill(tasks->pids[i], SIGKILL);
	for (size_t i = 0; i < tasks->count; i++)
		waitpid(tasks->pids[i], NULL, 0);
	free(tasks->pids);
}
