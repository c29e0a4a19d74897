/* SPDX-License-Identifier: MIT */
/* Taking locks away from those who hold them. */
#include <errno.h>

#include "kind/lock.h"
#include "scan/lockrelease.h"

/* At most so many are named. */
#define MOST_NAMED 8

/* Those who lost it. */
struct losers {
	struct buf names;
	uint32_t last; /* holder */
	unsigned count;
};

static void name_loser(struct losers *l, const struct snapshot *s, const struct holding *g)
{
	const struct holder *holder = holding_holder(&s->holders, g);

	if (l->count > 0 && g->holder == l->last)
		return;
	l->last = g->holder;
	if (l->count++ >= MOST_NAMED)
		return;
	buf_printf(&l->names, "%s%u (", l->count > 1 ? ", " : "", holder->pid);
	buf_put_span(&l->names, holder->command);
	buf_putc(&l->names, ')');
}

static void tell_losers(const struct losers *l, struct report *report)
{
	struct span names = buf_span(&l->names);

	if (l->count > MOST_NAMED)
		report_text(report, "taken from process %.*s and %u more, which are not told", (int)names.len,
			    names.ptr, l->count - MOST_NAMED);
	else
		report_text(report, "taken from process%s %.*s, which %s not told", l->count > 1 ? "es" : "",
			    (int)names.len, names.ptr, l->count > 1 ? "are" : "is");
}

static void tell_failure(int error, struct report *report)
{
	if (error == -ETIMEDOUT)
		report_text(report, "the file system does not answer");
	else if (error == -ENOSYS)
		report_text(report, "this kernel has no pidfd_getfd(2)");
}

int lock_remove(struct snapshot *s, size_t i, struct report *report)
{
	struct lock lock = lock_at(s, i);
	struct losers losers = { .count = 0 };
	int r = -ENOENT;

	if (lock.line.type == LOCK_POSIX) {
		report_text(report, "a POSIX lock belongs to its process: nobody else can release it");
		return -ENOTSUP;
	}
	if (!lock_held(s, i)) {
		report_text(report, "no descriptor in sight holds it");
		return -ENOTSUP;
	}
	/* Descriptors that share what is locked have let go of it together. */
	for (const struct holding *g = lock_held(s, i); g; g = holding_next(&s->holders, g)) {
		int one = lock_release(s, g, &lock.line);

		if (one == 0)
			name_loser(&losers, s, g);
		if (one != -ENOENT && (r == -ENOENT || r == 0))
			r = one;
	}
	if (r == 0)
		tell_losers(&losers, report);
	else
		tell_failure(r, report);
	buf_free(&losers.names);
	return r;
}
