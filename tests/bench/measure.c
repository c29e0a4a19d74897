/* SPDX-License-Identifier: MIT */
/*
 * Runs commands one after the other, input and output on /dev/null, and prints what they
 * took: nanoseconds together, and the largest resident set of any, in KiB.
 *
 * A program of its own because the kernel counts the memory of the process that called
 * execve(2) into the peak of what it became: started straight from the interpreter that
 * runs the bench, every command would seem to need at least as much as that.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Returns 0, or 1 after saying what went wrong. */
static int run(char **command, const posix_spawn_file_actions_t *actions, long *peak)
{
	struct rusage usage;
	int status;
	pid_t pid;
	int error = posix_spawnp(&pid, command[0], actions, NULL, command, environ);

	if (error) {
		fprintf(stderr, "measure: %s: %s\n", command[0], strerror(error));
		return 1;
	}
	while (wait4(pid, &status, 0, &usage) < 0) {
		if (errno != EINTR) {
			perror("measure: wait4");
			return 1;
		}
	}
	if (status != 0) {
		fprintf(stderr, "measure: %s ended with %s %d\n", command[0],
			WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		return 1;
	}
	if (usage.ru_maxrss > *peak)
		*peak = usage.ru_maxrss;
	return 0;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	long long start;
	long peak = 0;

	if (argc < 2) {
		fputs("usage: measure COMMAND [ARGUMENT...] [';' COMMAND [ARGUMENT...]]...\n", stderr);
		return 2;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	start = now();
	for (char **command = argv + 1, **end; command < argv + argc; command = end + 1) {
		for (end = command; *end && strcmp(*end, ";") != 0; end++)
			;
		*end = NULL;
		if (end == command) {
			fputs("measure: an empty command\n", stderr);
			return 2;
		}
		if (run(command, &actions, &peak))
			return 1;
	}
	printf("%lld %ld\n", now() - start, peak);
	posix_spawn_file_actions_destroy(&actions);
	return 0;
}
