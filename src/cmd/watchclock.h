/* SPDX-License-Identifier: MIT */
/* When a watch looks, and what ends it: time, signals, a reader that has gone. */
#pragma once

#include "cmd/cmd.h"

struct watch_clock {
	uint64_t interval, next, end; /* nanoseconds, CLOCK_MONOTONIC; end: UINT64_MAX: never */
	uint64_t looked;	      /* when the last look was over */
	uint64_t pause;		      /* that it takes before another may come early */
	int signals;		      /* signalfd(2) */
	int notice;		      /* inotify(7) of a directory, or -1 */
	bool early;		      /* something has happened there */
};

enum watch_wake {
	WAKE_LOOK,
	WAKE_LAST,   /* the time is over: one more look */
	WAKE_END,    /* a signal says so */
	WAKE_GONE,   /* nobody reads standard output any more */
	WAKE_SIZE,   /* the terminal has another size */
	WAKE_STOP,   /* SIGTSTP */
	WAKE_FAILED, /* errno */
};

/* Takes the signals that end it, and with `screen` those that concern a terminal, out of the way of
 * everything else, until the program ends. Milliseconds; lasts: 0 is for ever. 0 or -errno. */
int watch_clock_init(struct watch_clock *w, uint64_t interval, uint64_t lasts, bool screen) _must_check_;
void watch_clock_free(struct watch_clock *w);
/* Lets changes in a directory bring the next look forward. Where that cannot be, nothing is lost. */
void watch_clock_notice(struct watch_clock *w, const char *directory);
/* Around each look. */
uint64_t watch_clock_begin_look(void);
void watch_clock_end_look(struct watch_clock *w, uint64_t begun);
/* Waits for whatever comes first; out: standard output. */
enum watch_wake watch_clock_wait(struct watch_clock *w, int out);
/* Writes all that is in `out`. A signal that ends the watch while nobody takes the output ends this, too,
 * after a moment. Returns out->error. */
int watch_clock_flush(struct out *out);
