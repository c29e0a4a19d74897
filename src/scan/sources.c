/* SPDX-License-Identifier: MIT */
#include "scan/sources.h"

#include <errno.h>

int source_sysv(struct snapshot *s, enum sysv_kind kind, struct warnings *warnings)
{
	static const char *const subjects[] = { "sysvipc/shm", "sysvipc/sem", "sysvipc/msg" };
	struct sysv_table *t = &s->sysv[kind];
	bool own = s->context->own_proc;
	/* Only the text of shm tells rss and swap. */
	int r = own && kind != SYSV_SHM ? sysv_table_stat(t, false) : -EOPNOTSUPP;

	if (r < 0 && r != -ENOMEM)
		r = s->context->proc < 0 ? -ENOENT : sysv_table_read(t, s->context->proc);
	/* No /proc, or one without the tables (subset=pid). */
	if (own && (r == -ENOENT || r == -EACCES) && sysv_table_stat(t, true) == 0)
		r = 0;
	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind],
							  .error = EACCES,
							  .text = "not in this /proc (no System V IPC in the "
								  "kernel, or mounted with subset=pid)" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = subjects[kind], .error = -r });
	if (t->bad_rows)
		warnings_add(warnings,
			     &(struct warning){ .subject = subjects[kind],
						.error = EBADMSG,
						.text = "rows that could not be understood are left out" });
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

int source_mqueue(struct snapshot *s, const struct name_list *names, struct warnings *warnings)
{
	int r = mqueue_read(&s->queues, s->context->proc, names);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOSYS)
		warnings_add(warnings, &(struct warning){ .subject = "posix-mq",
							  .text = "the kernel has no POSIX queues" });
	else if (r == -EPERM || r == -EACCES)
		warnings_add(warnings,
			     &(struct warning){ .subject = "posix-mq",
						.error = EPERM,
						.text = "message queues cannot be seen: that takes "
							"CAP_SYS_ADMIN or a mounted mqueue file system" });
	else if (r < 0)
		warnings_add(warnings, &(struct warning){ .subject = "posix-mq", .error = -r });
	else if (s->queues.uncertain)
		warnings_add(
			warnings,
			&(struct warning){ .subject = "posix-mq",
					   .error = EPERM,
					   .text = "nothing proves that the mounted mqueue file system is "
						   "that of this IPC namespace" });
	return 0;
}

int source_sockets(struct snapshot *s, enum source source, struct warnings *warnings)
{
	if (!s->context->own_proc) {
		warnings_add(
			warnings,
			&(struct warning){ .subject = source == SOURCE_UNIX ? "unix-socket" : "inet-socket",
					   .error = EPERM,
					   .text = "sockets of another system cannot be listed" });
		return 0;
	}
	return source == SOURCE_UNIX ?
		       unix_sockets_read(&s->unix_sockets, s->sources & SOURCE_PEERS, warnings) :
		       inet_sockets_read(&s->inet_sockets, warnings);
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
