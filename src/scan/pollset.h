/* SPDX-License-Identifier: MIT */
/* The descriptors that a task waits for with poll(2), select(2) and epoll_wait(2). */
#pragma once

#include "scan/context.h"
#include "scan/tasks.h"

/* More than that are not looked at. */
#define MOST_POLLED 4096

/*
 * Calls found for each descriptor of the task's table. 0, -E2BIG: there are more of them than are
 * looked at, -ENOTSUP: it waits for none, -EAGAIN: its memory is not at hand, or -errno; also what
 * found returned if that is negative.
 */
int pollset_each(const struct scan_context *context, const struct task *task,
		 int (*found)(void *data, int fd), void *data) _must_check_;
