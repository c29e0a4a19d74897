/* SPDX-License-Identifier: MIT */
#include "cmd/targets.h"

#include <errno.h>

int target_resolve(struct context *c, const char *verb, const struct target *t, struct snapshot *s,
		   struct matches *m, int *status)
{
	struct report report = { 0 };
	int r = kind_resolve(t->kind, s, t->id, m, &report);

	if (r == -EINVAL)
		*status = diag_usage(&c->diag, "%s %s: %s", verb, t->text,
				     report.text.ptr ? report.text.ptr : "no such reference");
	else if (r < 0)
		*status = out_of_memory(c);
	report_free(&report);
	return r < 0 ? -1 : (int)m->count;
}

void target_not_found(struct context *c, const char *verb, const struct target *t, const struct snapshot *s,
		      const struct matches *m)
{
	if (m->error)
		diag_error(&c->diag, "%s %s: %s", verb, t->text, error_text(m->error));
	else if (snapshot_failed(s) & t->kind->sources)
		diag_error(&c->diag, "%s %s: not found, but not everything could be read", verb, t->text);
	else
		diag_error(&c->diag, "%s %s: not found", verb, t->text);
}
