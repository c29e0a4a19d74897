/* SPDX-License-Identifier: MIT */
#include "scan/sources.h"

#include <errno.h>

#include "lib/capability.h"

void source_sysv_warn(enum sysv_kind kind, int error, uint32_t bad_rows, struct warnings *warnings)
{
	static const char *const subjects[] = { "sysvipc/shm", "sysvipc/sem", "sysvipc/msg" };

	if (error == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind],
							  .error = EACCES,
							  .text = "not in this /proc (no System V IPC in the "
								  "kernel, or mounted with subset=pid)" });
	else if (error < 0)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind], .error = -error });
	if (bad_rows)
		warnings_add(warnings,
			     &(struct warning){ .subject = subjects[kind],
						.error = EBADMSG,
						.text = "rows that could not be understood are left out" });
}

int source_sysv(struct snapshot *s, enum sysv_kind kind, struct warnings *warnings)
{
	struct sysv_table *t = &s->sysv[kind];
	int r = sysv_table_take(t, s->context->proc, s->context->own_proc);

	if (r == -ENOMEM)
		return r;
	source_sysv_warn(kind, r, t->bad_rows, warnings);
	return 0;
}

int source_shmtree(struct snapshot *s, const struct name_list *names, struct warnings *warnings)
{
	int r = names ? shmtree_read(&s->shm, names, warnings) : shmtree_open(&s->shm);

	if (r == -ENOMEM)
		return r;
	/* Without /dev/shm there are no segments: nothing is hidden. */
	if (r == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = "/dev/shm", .text = "does not exist" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = "/dev/shm", .error = -r });
	return 0;
}

void source_mqueue_warn(int error, bool uncertain, struct warnings *warnings)
{
	struct warning w = { .subject = "posix-mq", .error = error < 0 ? -error : EPERM };

	if (error == -ENOSYS) {
		w.error = 0;
		w.text = "the kernel has no POSIX queues";
	} else if (error == -EPERM || error == -EACCES) {
		w.error = EPERM;
		w.text = "message queues cannot be seen: that takes CAP_SYS_ADMIN or a mounted mqueue file "
			 "system";
		w.unseen = "message queues";
		w.rights = CAPABILITY(CAP_SYS_ADMIN);
	} else if (error == 0) {
		w.text = "nothing proves that the mounted mqueue file system is that of this IPC namespace";
		w.unseen = "message queues with certainty";
		w.rights = CAPABILITY(CAP_SYS_ADMIN);
	}
	if (error < 0 || uncertain)
		warnings_add(warnings, &w);
}

int source_mqueue(struct snapshot *s, const struct name_list *names, struct warnings *warnings)
{
	int r = mqueue_read(&s->queues, s->context->proc, names);

	if (r == -ENOMEM)
		return r;
	source_mqueue_warn(r, s->queues.uncertain, warnings);
	return 0;
}

unsigned source_unix_details(const struct snapshot *s)
{
	return (s->sources & SOURCE_ADDRESSES ? UNIX_TELL_ADDRESS : 0) |
	       (s->sources & SOURCE_QUEUES ? UNIX_TELL_QUEUES : 0) |
	       (s->sources & SOURCE_PEERS ? UNIX_TELL_PEER : 0);
}

int source_sockets(struct snapshot *s, enum source source, struct warnings *warnings)
{
	if (s->context->recorded) {
		warnings_add(
			warnings,
			&(struct warning){ .subject = source == SOURCE_UNIX ? "unix-socket" : "inet-socket",
					   .error = EPERM,
					   .text = "sockets of another system cannot be listed" });
		return 0;
	}
	return source == SOURCE_UNIX ?
		       unix_sockets_read(&s->unix_sockets, -1, source_unix_details(s), warnings) :
		       inet_sockets_read(&s->inet_sockets, -1, warnings);
}

int source_locks(struct snapshot *s, struct warnings *warnings)
{
	int r = s->context->proc < 0 ? -ENOENT : proc_locks_read(&s->locks, s->context);

	if (r == -ENOENT)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "locks",
					   .error = EACCES,
					   .text = "not in this /proc: who waits for a lock is not told" });
	else if (r < 0 && r != -ENOMEM)
		warnings_add(warnings, &(struct warning){ .subject = "/proc/locks", .error = -r });
	return r == -ENOMEM ? r : 0;
}
