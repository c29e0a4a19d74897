/* SPDX-License-Identifier: MIT */
/*
 * Preloaded (ld.so(8)) into what an example runs. As many seconds have passed as LATER says, so that what the
 * test made a moment ago is old; only for time(2), by which ages are told: processes started when they did.
 * And though what is printed goes to a file, lines come in the order that a terminal would show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static __attribute__((constructor)) void write_lines(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

time_t time(time_t *out)
{
	const char *later = getenv("LATER");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += later ? atol(later) : 0;
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
