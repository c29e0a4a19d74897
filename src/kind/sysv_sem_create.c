/* SPDX-License-Identifier: MIT */
/* Making a System V semaphore set with its values. */
#include "kind/sysv_sem_create.h"

#include <errno.h>

#include "kind/sysv.h"
#include "lib/parse.h"

/* How many values "1,0,3" has, and the values if `out` is given. -EINVAL if one is none. */
static int parse_values(const char *text, unsigned short *out)
{
	struct span rest = span_of(text);
	uint64_t v;
	int n = 0;

	for (;;) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct span word = { rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len };

		if (parse_u64_in(word, 0, SYSV_SEM_VALUE_MAX, &v) < 0)
			return -EINVAL;
		if (out)
			out[n] = (unsigned short)v;
		n++;
		if (!comma)
			return n;
		rest = span_from(rest, word.len + 1);
	}
}

static int get_set(key_t key, int flags, const struct create_args *args)
{
	/* Until it has its values only its owner may touch it; finish_set() opens it. */
	if (args->values && flags)
		flags = (flags & ~0777) | 0600;
	return semget(key, (int)args->nsems.value, flags);
}

/*
 * The kernel makes a set with all values 0 and cannot make it otherwise. Those
 * who follow the old protocol wait until otime is set (semget(2), BUGS); so the
 * last step is a semop(2) that adds and takes away one, in one go.
 */
static int announce(int id, unsigned short first)
{
	struct sembuf up = { .sem_op = 1 }, down = { .sem_op = -1 };
	struct sembuf ops[2] = { first > 0 ? down : up, first > 0 ? up : down };

	return semop(id, ops, 2) < 0 ? -errno : 0;
}

static int finish_set(int id, const struct create_args *args, uint32_t uid, uint32_t gid,
		      struct report *report)
{
	_cleanup_(free_ptr) unsigned short *values = NULL;
	struct semid_ds ds = { 0 };
	int r;

	if (args->values) {
		values = calloc((size_t)args->nsems.value, sizeof(*values));
		if (!values)
			return -ENOMEM;
		parse_values(args->values, values);
		if (semctl(id, 0, SETALL, (union semun){ .array = values }) < 0)
			return -errno;
		r = announce(id, values[0]);
		if (r < 0)
			return r;
	}
	if (!args->values && !args->owner)
		return 0;
	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0)
		return -errno;
	sysv_set_perm(&ds.sem_perm, uid, gid, create_mode(args));
	if (semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) < 0) {
		r = -errno;
		report_text(report, "owner and mode");
		return r;
	}
	return 0;
}

static void discard_set(int id)
{
	semctl(id, 0, IPC_RMID);
}

int sysv_sem_create(const struct create_args *args, struct report *report)
{
	static const struct sysv_maker maker = { "sysv-sem", get_set, finish_set, discard_set };
	struct create_args full = *args;
	int n = args->values ? parse_values(args->values, NULL) : 0;
	int r;

	report->usage = true;
	if (n < 0) {
		report_text(report, "--values '%s': expected numbers 0 to 32767 separated by commas",
			    args->values);
		return -EINVAL;
	}
	if (n > 0 && args->nsems.set && args->nsems.value != (uint64_t)n) {
		report_text(report, "--nsems says %llu, --values names %d",
			    (unsigned long long)args->nsems.value, n);
		return -EINVAL;
	}
	if (!args->nsems.set)
		full.nsems = (struct opt_u64){ true, n > 0 ? (uint64_t)n : 1 };
	if (full.nsems.value == 0 || full.nsems.value > INT32_MAX) {
		report_text(report, "--nsems %llu: expected 1 to %d", (unsigned long long)full.nsems.value,
			    INT32_MAX);
		return -EINVAL;
	}
	report->usage = false;
	r = sysv_create(&maker, &full, report);
	if (report->text.ptr)
		return r;
	if (r == -ENOSPC)
		report_text(report, "semmni or semmns is reached; see 'ipcctl limits sysv-sem'");
	else if (r == -EINVAL)
		report_text(report, "more semaphores than semmsl allows; see 'ipcctl limits sysv-sem'");
	return r;
}

const struct opt sysv_sem_create_opts[SYSV_SEM_NCREATE_OPTS] = {
	{ .name = "nsems",
	  .type = OPT_U64,
	  .arg = "N",
	  .offset = offsetof(struct create_args, nsems),
	  .help = "semaphores in the set (default 1, or as many as --values)" },
	{ .name = "values",
	  .type = OPT_STRING,
	  .arg = "N,...",
	  .offset = offsetof(struct create_args, values),
	  .help = "their initial values (default 0)" },
	SYSV_CREATE_OPTS,
};
