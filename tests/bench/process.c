/* SPDX-License-Identifier: MIT */
/* A process of a load. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "group.h"

static void be(void (*make)(unsigned int index, const char *directory), unsigned int index,
	       const char *directory, int ready)
{
	make(index, directory);
	if (write(ready, "", 1) != 1)
		die("a process of the load");
	close(ready);
	for (;;)
		pause();
}

int start_process(void (*make)(unsigned int index, const char *directory), unsigned int index,
		  const char *directory)
{
	pid_t parent = getpid(), child;
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(ready[0]);
		be(make, index, directory, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		errno = ECHILD;
		return -1;
	}
	close(ready[0]);
	return 0;
}
