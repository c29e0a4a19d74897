/* SPDX-License-Identifier: MIT */
/* When processes began, by the clock as it is set now, and whether that can be compared with what was
 * recorded. */
#pragma once

#include "lib/base.h"

/* When the system was booted, in nanoseconds since the epoch as the clock is set now. */
int64_t boot_time(void);
/* Ticks since boot as seconds since the epoch. */
int64_t process_start(uint64_t ticks, int64_t boot);
/*
 * The first second with which what such a process made may be stamped: objects get the time of the kernel's
 * last tick (ktime_get_real_seconds(), current_time()), processes that of a finer clock. One that began right
 * behind a full second may have made an object of the second before.
 */
int64_t process_earliest(uint64_t ticks, int64_t boot);

/* What is known of the clock; zero-initialised, it finds out what it is asked for. */
struct clock_history {
	int64_t boot;	 /* of boot_time() */
	int64_t forward; /* by so many seconds it was set forward since then, in all */
	bool read;
};

enum clock_order {
	CLOCK_BEFORE,	   /* or in the same second */
	CLOCK_AFTER,	   /* later than what was recorded */
	CLOCK_CANNOT_TELL, /* what was recorded may be told by a clock that was set forward since */
};

/* A process, and what it is compared with. Times: seconds since the epoch. */
struct clock_question {
	int proc; /* a directory of /proc */
	uint32_t pid;
	int64_t earliest; /* of process_earliest() */
	int64_t recorded; /* by an object, as the clock was set then */
	int64_t now;
};

/*
 * Whether a process began before an object recorded something: how long after boot it began is known, but
 * when the object did, only by the clock as it was set then. That it was set forward since shows in what was
 * recorded before boot; in devtmpfs, whose oldest devices were made while the system booted; and in a process
 * that /proc first showed before it can have begun.
 */
enum clock_order clock_order(struct clock_history *clock, const struct clock_question *q);
