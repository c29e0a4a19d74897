/* SPDX-License-Identifier: MIT */
#include "lib/base.h"

#include <errno.h>

void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void free_ptr(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}
