/* SPDX-License-Identifier: MIT */
/* Ways to the mqueue file system of an IPC namespace (mq_overview(7)). */
#pragma once

#include "lib/base.h"

/* A directory descriptor of that of the IPC namespace that this thread is in, mounted nowhere.
 * -errno: -EPERM without the right, -ENODEV if the kernel has no queues. */
int mqueue_open_detached(void) _must_check_;
/* One of a mount that is there, in sight of the proc of this descriptor; *uncertain if nothing proves that it
 * is that of this IPC namespace. -ENOENT: there is none, or -errno. */
int mqueue_open_mounted(int proc, bool *uncertain) _must_check_;
