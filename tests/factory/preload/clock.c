/* SPDX-License-Identifier: MIT */
/*
 * Preloaded (ld.so(8)) into a program while the system's clock is set, and set again: at each look the time
 * of day is as many seconds ahead as the file AHEAD says then. The clocks that nobody can set are as ever.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef SYS_clock_gettime64 /* where words are narrow */
#define CLOCK_GETTIME SYS_clock_gettime64
#else
#define CLOCK_GETTIME SYS_clock_gettime
#endif

static time_t ahead(void)
{
	const char *path = getenv("AHEAD");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[24];
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return (time_t)atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int r = (int)syscall(CLOCK_GETTIME, clock, out);

	if (r == 0 && clock == CLOCK_REALTIME)
		out->tv_sec += ahead();
	return r;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
