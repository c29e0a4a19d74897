/* SPDX-License-Identifier: MIT */
/*
 * Part of the program where lines are counted (COVERAGE=1): decides whether a process writes down what it
 * ran. Linked with --wrap=main and --wrap=_exit; see tests.mk.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void __gcov_dump(void);
int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/* A tracer may let every call fail, as the tests do, and those that read what was counted before are no
 * exception. */
static bool is_traced(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int tracer = -1;

	while (f && tracer < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, "TracerPid:", 10) == 0)
			tracer = atoi(line + 10);
	if (f)
		fclose(f);
	return tracer > 0 || (tracer < 0 && access("/proc/self", F_OK) == 0);
}

/* What is written by half can be read by nobody, and takes with it what others have counted. */
static bool may_write(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY && !is_traced();
}

/* All that the program had to say is said by now; what the counters complain of is not its output. */
static void hush(void)
{
	if (!freopen("/dev/null", "w", stderr))
		return;
}

/* A child process that ends so writes, as does one that returns from main(). */
void __wrap__exit(int status)
{
	if (may_write()) {
		hush();
		__gcov_dump();
	}
	__real__exit(status);
}

int __wrap_main(int argc, char **argv)
{
	int status = __real_main(argc, argv);

	fflush(NULL);
	if (!may_write())
		__real__exit(status);
	return status;
}

__attribute__((destructor)) static void before_writing(void)
{
	hush();
}
