/* SPDX-License-Identifier: MIT */
/*
 * Runs commands one after the other, input and output on /dev/null, and prints what they
 * took: nanoseconds together, and the largest resident set of any, in KiB. -1: on one
 * processor, all threads and children of theirs. -x: whatever they exit with is good.
 *
 * A program of its own because the kernel counts the memory of the process that called
 * execve(2) into the peak of what it became: started straight from the interpreter that
 * runs the bench, every command would seem to need at least as much as that.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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
static int run(char **command, const posix_spawn_file_actions_t *actions, int any_status, long *peak)
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
	if (any_status ? WIFSIGNALED(status) : status != 0) {
		fprintf(stderr, "measure: %s ended with %s %d\n", command[0],
			WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		return 1;
	}
	if (usage.ru_maxrss > *peak)
		*peak = usage.ru_maxrss;
	return 0;
}

/* What we start inherits it. The last processor that we may use has least to do with interrupts. */
static int use_one_processor(void)
{
	cpu_set_t allowed, one;
	int last = -1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return -1;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &allowed))
			last = i;
	}
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

static int usage(void)
{
	fputs("usage: measure [-1x] COMMAND [ARGUMENT...] [';' COMMAND [ARGUMENT...]]...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	int option, any_status = 0;
	long long start;
	long peak = 0;

	while ((option = getopt(argc, argv, "+1x")) != -1) {
		if (option == '?')
			return usage();
		if (option == 'x') {
			any_status = 1;
		} else if (use_one_processor() < 0) {
			perror("measure: one processor");
			return 1;
		}
	}
	if (optind == argc)
		return usage();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	start = now();
	for (char **command = argv + optind, **end; command < argv + argc; command = end + 1) {
		for (end = command; *end && strcmp(*end, ";") != 0; end++)
			;
		*end = NULL;
		if (end == command) {
			fputs("measure: an empty command\n", stderr);
			return 2;
		}
		if (run(command, &actions, any_status, &peak))
			return 1;
	}
	printf("%lld %ld\n", now() - start, peak);
	posix_spawn_file_actions_destroy(&actions);
	return 0;
}
