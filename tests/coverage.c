/* SPDX-License-Identifier: MIT */
/*
 * For a build that counts lines (COVERAGE=1), linked with --wrap=_exit; see tests.mk. What it says applies to
 * the program as it is tested, not to the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

/*
 * All that the program had to say is said by now; what the counters complain of is not its output. Under a
 * limit of the size of files half of them would be written, which nobody could read: then none are.
 */
__attribute__((destructor)) static void before_writing(void)
{
	struct rlimit limit;

	if (!freopen("/dev/null", "w", stderr) || getrlimit(RLIMIT_FSIZE, &limit) < 0 ||
	    limit.rlim_cur != RLIM_INFINITY)
		setenv("GCOV_PREFIX", "/dev/null", 1);
}

/* A child process that ends so writes down what it ran, as one does that returns from main(). */
void __wrap__exit(int status)
{
	before_writing();
	__gcov_dump();
	__real__exit(status);
}
