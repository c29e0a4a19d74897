/* SPDX-License-Identifier: MIT */
/*
 * The entries of a process's queues of signals, with what their senders gave them. Only a
 * stopped thread can be asked (ptrace(2): PTRACE_PEEKSIGINFO), so that this is no harmless
 * look: epoll_wait(2), semop(2) and few other calls return EINTR when their thread goes on.
 */
#pragma once

#include <signal.h>

#include "scan/signals.h"

/* At most so many entries of one queue are read: the kernel counts from the first to each. */
#define MOST_QUEUED 1024

struct queued_signal {
	uint32_t tid; /* of the thread that it is for alone; 0: for the process */
	siginfo_t info;
};

struct signal_queue {
	struct queued_signal *items; /* in the order in which they were sent */
	size_t count;
	bool cut; /* some queue has more entries */
};

/*
 * Reads the queues of a process that is still the one that was found. Each thread for which
 * signals are pending is stopped for a moment, one after the other, and one thread for those of
 * the process; none where nothing is pending. Nothing is taken out, and what was stopped before
 * stays stopped. 0, or
 * -ESRCH: it has ended, or is another process now; -ENOTSUP: this /proc cannot be asked;
 * -EBUSY: it is traced already; -ETIMEDOUT: it did not stop within a second, or is a zombie; -EPERM or
 * another -errno. Free in any case.
 */
int signal_queue_read(struct signal_queue *queue, const struct scan_context *context,
		      const struct signal_process *process) _must_check_;
void signal_queue_free(struct signal_queue *queue);
