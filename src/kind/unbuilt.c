/* SPDX-License-Identifier: MIT */
/*
 * The kinds that are designed but not built yet. `kinds` describes and marks
 * them; no other command takes them. Each moves into a file of its own.
 */
#include "kind/registry.h"

const struct kind kind_futex = {
	.name = "futex",
	.aliases = (const char *const[]){ "mutex", "cond", "rwlock", "unnamed-sem", NULL },
	.groups = GROUP_SYNC,
	.title = "Process-shared mutex, condition, rwlock or unnamed semaphore",
	.identifier = "object in shared memory and offset",
	.handle = "address in a mapping",
	.persistence = "as long as the memory it lies in",
	.access = "whoever may map that memory",
	.source = "/proc/PID/task/TID/syscall, robust lists",
	.create_means = "initialised inside a shared-memory object",
	.remove_means = "cleared, if nobody holds it or waits",
	.reference = "futex:posix-shm:/name+OFFSET, futex:PID@ADDRESS",
};
