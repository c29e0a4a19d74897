/* SPDX-License-Identifier: MIT */
#include "cmd/watchclock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>

#include "lib/signals.h"

#define MILLISECOND ((uint64_t)1000000)
#define SOONEST (50 * MILLISECOND)
/* An early look comes after so many times what the last has cost of a processor: 1% of it. */
#define RARELY 100
/* So long output may still be taken when a signal has come. */
#define LAST_CHANCE (1000 * MILLISECOND)
/* How often it is asked, while nobody takes it, whether one has: milliseconds. */
#define RETRY 100

static uint64_t later(uint64_t from, uint64_t milliseconds)
{
	uint64_t t;

	if (__builtin_mul_overflow(milliseconds, MILLISECOND, &t) || __builtin_add_overflow(from, t, &t))
		return UINT64_MAX;
	return t;
}

int watch_clock_init(struct watch_clock *w, uint64_t interval, uint64_t lasts, bool screen)
{
	uint64_t now = nanoseconds(CLOCK_MONOTONIC);
	sigset_t taken;

	*w = (struct watch_clock){ .interval = later(0, interval), .signals = -1, .notice = -1 };
	w->next = now;
	w->end = lasts ? later(now, lasts) : UINT64_MAX;
	sigemptyset(&taken);
	signal_add_unless_ignored(&taken, SIGINT);
	signal_add_unless_ignored(&taken, SIGTERM);
	signal_add_unless_ignored(&taken, SIGHUP);
	if (screen) {
		signal_add_unless_ignored(&taken, SIGQUIT);
		signal_add_unless_ignored(&taken, SIGTSTP);
		sigaddset(&taken, SIGWINCH);
	}
	if (sigprocmask(SIG_BLOCK, &taken, NULL) < 0)
		return -errno;
	w->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signals < 0 ? -errno : 0;
}

void watch_clock_free(struct watch_clock *w)
{
	close_fd(&w->signals);
	close_fd(&w->notice);
}

void watch_clock_notice(struct watch_clock *w, const char *directory)
{
	w->notice = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->notice >= 0 &&
	    inotify_add_watch(w->notice, directory,
			      IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
		close_fd(&w->notice);
		w->notice = -1;
	}
}

/* What has happened does not matter, only that something has. */
static void take_notices(struct watch_clock *w)
{
	_Alignas(struct inotify_event) char events[16384];
	const struct inotify_event *event;
	ssize_t n;

	while ((n = read(w->notice, events, sizeof(events))) > 0)
		for (const char *p = events; p < events + n; p += sizeof(*event) + event->len) {
			event = (const void *)p;
			w->early = true;
			/* It was unmounted, or removed. */
			if (event->mask & IN_IGNORED) {
				close_fd(&w->notice);
				w->notice = -1;
				return;
			}
		}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_fd(&w->notice);
		w->notice = -1;
	}
}

uint64_t watch_clock_begin_look(void)
{
	return nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
}

void watch_clock_end_look(struct watch_clock *w, uint64_t begun)
{
	uint64_t now = nanoseconds(CLOCK_MONOTONIC);

	w->looked = now;
	w->pause = (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - begun) * RARELY;
	if (w->pause < SOONEST)
		w->pause = SOONEST;
	w->early = false;
	/* Absolute times, so that nothing drifts; looks that would be overdue are not made up for. */
	if (w->next <= now)
		w->next = later(w->next, w->interval / MILLISECOND);
	if (w->next < now)
		w->next = now;
}

/* The signal that has come, or 0. */
static int next_signal(const struct watch_clock *w)
{
	struct signalfd_siginfo info;
	ssize_t n = read(w->signals, &info, sizeof(info));

	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static struct timespec until(uint64_t when)
{
	uint64_t now = nanoseconds(CLOCK_MONOTONIC), left = when > now ? when - now : 0;

	/* A day at most: then it is asked again. */
	if (left > 86400000 * MILLISECOND)
		left = 86400000 * MILLISECOND;
	return (struct timespec){ .tv_sec = (time_t)(left / 1000000000),
				  .tv_nsec = (long)(left % 1000000000) };
}

/* When there is something to do if nothing happens. */
static uint64_t due(const struct watch_clock *w)
{
	uint64_t when = w->next < w->end ? w->next : w->end;

	if (w->early && w->looked + w->pause < when)
		when = w->looked + w->pause;
	return when;
}

enum watch_wake watch_clock_wait(struct watch_clock *w, int out)
{
	for (;;) {
		uint64_t when = due(w);
		struct timespec left = until(when);
		/* Once something has happened, more of it does not matter. */
		struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN },
					{ .fd = out },
					{ .fd = w->early ? -1 : w->notice, .events = POLLIN } };

		if (ppoll(fds, ARRAY_SIZE(fds), &left, NULL) < 0 && errno != EINTR)
			return WAKE_FAILED;
		if (fds[0].revents)
			switch (next_signal(w)) {
			case 0:
				break;
			case SIGWINCH:
				return WAKE_SIZE;
			case SIGTSTP:
				return WAKE_STOP;
			default:
				return WAKE_END;
			}
		if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
			return WAKE_GONE;
		if (fds[2].revents)
			take_notices(w);
		if (nanoseconds(CLOCK_MONOTONIC) >= w->end)
			return WAKE_LAST;
		if (nanoseconds(CLOCK_MONOTONIC) >= due(w))
			return WAKE_LOOK;
	}
}

/* Whether a signal that ends the watch has come; it stays pending. */
static bool is_ending(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
	       sigismember(&pending, SIGHUP) || sigismember(&pending, SIGQUIT);
}

int watch_clock_flush(struct out *out)
{
	struct span left = buf_span(&out->buf);
	uint64_t give_up = UINT64_MAX;

	if (out->buf.failed)
		return out_flush(out);
	while (!out->error && left.len > 0) {
		struct pollfd fd = { .fd = out->fd, .events = POLLOUT };
		/* A pipe that has room at all takes so much without blocking. */
		size_t n = left.len < PIPE_BUF ? left.len : PIPE_BUF;
		ssize_t written;

		if (poll(&fd, 1, RETRY) < 0 && errno != EINTR)
			out->error = -errno;
		if (fd.revents) {
			written = write(out->fd, left.ptr, n);
			if (written >= 0)
				left = span_from(left, (size_t)written);
			else if (errno != EAGAIN && errno != EINTR)
				out->error = -errno;
		} else if (give_up != UINT64_MAX && nanoseconds(CLOCK_MONOTONIC) >= give_up) {
			out->error = -EINTR;
		} else if (is_ending() && give_up == UINT64_MAX) {
			give_up = nanoseconds(CLOCK_MONOTONIC) + LAST_CHANCE;
		}
	}
	buf_reset(&out->buf);
	return out->error;
}
