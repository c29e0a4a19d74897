/* SPDX-License-Identifier: MIT */
/*
 * For a build that counts lines (COVERAGE=1), linked with --wrap=_exit; see tests.mk. What it says applies to
 * the program as it is tested, not to the program.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/* Under a limit of the size of files half of the counts would be written, which nobody could read, and an
 * error reported for each file. */
__attribute__((destructor)) static void spare_limited(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		setenv("GCOV_PREFIX", "/dev/null", 1);
		setenv("GCOV_ERROR_FILE", "/dev/null", 1);
	}
}

/* A child process that ends so writes down what it ran, as one does that returns from main(). */
void __wrap__exit(int status)
{
	spare_limited();
	__gcov_dump();
	__real__exit(status);
}
