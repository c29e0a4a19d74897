/* SPDX-License-Identifier: MIT */
#include "scan/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "scan/mountinfo.h"

#define SECOND 1000000000
/* What passes between the start of the clock and the first devices, at most, in seconds. */
#define SLACK 10
/* The part of a second by which the kernel's stamps may lag: a tick, or more where processors are shared. */
#define LAG_PARTS 10

int64_t boot_time(void)
{
	int64_t best = INT64_MAX;
	struct timespec real, boot;

	/* Whoever is interrupted between the two clocks gets too late a time. */
	for (int i = 0; i < 5; i++) {
		int64_t t;

		clock_gettime(CLOCK_BOOTTIME, &boot);
		clock_gettime(CLOCK_REALTIME, &real);
		t = (int64_t)(real.tv_sec - boot.tv_sec) * SECOND + (real.tv_nsec - boot.tv_nsec);
		if (t < best)
			best = t;
	}
	return best;
}

static uint64_t ticks_per_second(void)
{
	long hz = sysconf(_SC_CLK_TCK);

	return hz > 0 ? (uint64_t)hz : 100;
}

int64_t process_start(uint64_t ticks, int64_t boot)
{
	const uint64_t per_second = ticks_per_second();
	int64_t seconds = boot / SECOND, rest = boot % SECOND;

	rest += (int64_t)(ticks % per_second) * (SECOND / (int64_t)per_second);
	if (rest < 0) {
		rest += SECOND;
		seconds--;
	}
	return seconds + (int64_t)(ticks / per_second) + rest / SECOND;
}

int64_t process_earliest(uint64_t ticks, int64_t boot)
{
	const uint64_t lag = ticks_per_second() / LAG_PARTS;

	return process_start(ticks > lag ? ticks - lag : 0, boot);
}

/* When the kernel made the oldest of its devices, by the clock of that moment; INT64_MAX: that does not show.
 * Whoever may write to one of them can make it look younger, but nobody can all. */
static int64_t oldest_device(void)
{
	static const char *const devices[] = { "/dev/kmsg", "/dev/null", "/dev/zero", "/dev/full",
					       "/dev/random" };
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	int64_t oldest = INT64_MAX;
	struct stat st;

	if (mounts_read(&mounts) < 0)
		return oldest;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (stat(devices[i], &st) == 0 && S_ISCHR(st.st_mode) &&
		    mounts_flags(&mounts, st.st_dev) & MOUNT_DEVICES && st.st_mtim.tv_sec < oldest)
			oldest = st.st_mtim.tv_sec;
	return oldest;
}

static void read_history(struct clock_history *clock)
{
	int64_t device;

	if (clock->read)
		return;
	clock->read = true;
	if (!clock->boot)
		clock->boot = boot_time();
	device = oldest_device();
	if (device < clock->boot / SECOND)
		clock->forward = clock->boot / SECOND - device;
}

/* Whether somebody looked at the process at a time at which, as the clock is set now, it had not begun: what
 * /proc shows of it bears the time of the first look, as long as the kernel keeps it at hand. */
static bool began_by_another_clock(const struct clock_question *q)
{
	struct stat st;
	char path[12];

	snprintf(path, sizeof(path), "%u", q->pid);
	return fstatat(q->proc, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtim.tv_sec < q->earliest;
}

enum clock_order clock_order(struct clock_history *clock, const struct clock_question *q)
{
	if (q->earliest <= q->recorded)
		return CLOCK_BEFORE;
	read_history(clock);
	/* No process was before boot. */
	if (q->recorded < clock->boot / SECOND || began_by_another_clock(q))
		return CLOCK_CANNOT_TELL;
	/* If the clock was set once: before that, it may have shown this time with the process there. */
	if (clock->forward && q->recorded <= q->now - clock->forward &&
	    q->earliest - clock->forward - SLACK <= q->recorded)
		return CLOCK_CANNOT_TELL;
	return CLOCK_AFTER;
}
