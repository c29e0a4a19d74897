/* SPDX-License-Identifier: MIT */
#include "kind/kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "kind/path.h"
#include "lib/vec.h"

const char only_holders_end_it[] = "it cannot be ended from outside; --kill signals its holders";

const char *kind_alias_value(const struct kind *k, const char *word)
{
	int at;

	for (size_t i = 0; k->alias_values && k->aliases[i]; i++)
		if (strcmp(k->aliases[i], word) == 0)
			return k->alias_values[i];
	at = k->alias_field && k->schema ? schema_find(k->schema, span_of(k->alias_field)) : -1;

	for (const char *const *v = at < 0 ? NULL : k->schema->fields[at].values; v && *v; v++)
		if (strcmp(*v, word) == 0)
			return *v;
	return NULL;
}

__attribute__((format(printf, 2, 0))) static void set_text(struct report *report, const char *fmt, va_list ap)
{
	/* Without memory for the phrase the bare errno must do. */
	report->text = arena_vprintf(&report->arena, fmt, ap);
}

void report_text(struct report *report, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(report, fmt, ap);
	va_end(ap);
}

int report_begin(struct report *report)
{
	return arena_alloc(&report->arena, 0) ? 0 : -ENOMEM;
}

int report_ref(struct report *report, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report->ref = arena_vprintf(&report->arena, fmt, ap);
	va_end(ap);
	return report->ref.ptr ? 0 : -ENOMEM;
}

int report_usage(struct report *report, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(report, fmt, ap);
	va_end(ap);
	report->usage = true;
	return -EINVAL;
}

void report_free(struct report *report)
{
	creation_end(&report->made);
	arena_free(&report->arena);
	*report = (struct report){ 0 };
}

void report_made(struct report *report, int fd, const char *variable)
{
	report->made.fds[report->made.nfds++] = (struct made_descriptor){ fd, variable };
}

void creation_end(struct creation *made)
{
	for (size_t i = 0; i < made->nfds; i++)
		close_fd(&made->fds[i].fd);
	if (made->leaf.ptr) {
		/* Whoever took it away, or put another there, has done what was to be done. */
		(void)!path_unlink_at(made->parent, made->leaf.ptr, made->dev, made->ino, NULL);
		close_fd(&made->parent);
	}
	*made = (struct creation){ 0 };
}

int matches_add(struct matches *m, size_t index)
{
	if (vec_reserve(&m->items, m->count, sizeof(*m->items)) < 0)
		return -ENOMEM;
	m->items[m->count++] = index;
	return 0;
}

int matches_found(struct matches *m, int64_t found)
{
	if (found >= 0)
		return matches_add(m, (size_t)found);
	return found == -ENOENT ? 0 : (int)found;
}

int matches_unreached(struct matches *m, int error)
{
	if (error != -ENOENT && error != -ENOTDIR && error != -ENOMEM)
		m->error = error;
	return error == -ENOMEM ? -ENOMEM : 0;
}

void matches_free(struct matches *m)
{
	free(m->items);
	*m = (struct matches){ 0 };
}
