/* SPDX-License-Identifier: MIT */
#include "model/warnings.h"

#include <errno.h>

#include "lib/escape.h"

static bool hides(int error)
{
	return error == EPERM || error == EACCES || error == WHY_MOVES_ATIME || error == WHY_OTHER_PIDS ||
	       error == WHY_OTHER_MOUNTS || error == WHY_NOT_LOOKED || error == WHY_KERNEL_TOO_OLD ||
	       error == WHY_TOO_QUICK || error == WHY_LEASED || error == WHY_OTHER_SYSTEM ||
	       error == WHY_PROC_HIDES || error == WHY_TRACED || error == WHY_NOT_UNDERSTOOD ||
	       error == WHY_NOT_STOPPED;
}

bool warning_hides(const struct warning *warning)
{
	return hides(warning->error);
}

bool warning_fails(const struct warning *warning)
{
	return warning->fatal || (warning->error > 0 && !hides(warning->error));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_cause(const struct warning *a, const struct warning *b)
{
	bool single = !a->fields && a->count == 0;

	return a->error == b->error && same_text(a->fields, b->fields) && same_text(a->text, b->text) &&
	       same_text(a->because, b->because) && strcmp(a->subject, b->subject) == 0 &&
	       (!single || span_eq(a->example, b->example));
}

bool warnings_have(const struct warnings *w, const struct warning *warning)
{
	for (size_t i = 0; i < w->count; i++)
		if (same_cause(&w->items[i], warning))
			return true;
	return false;
}

void warnings_add(struct warnings *w, const struct warning *warning)
{
	struct warning *items;

	w->incomplete |= hides(warning->error) || warning->error > 0;
	w->failed |= warning_fails(warning);
	for (size_t i = 0; i < w->count; i++)
		if (same_cause(&w->items[i], warning)) {
			w->items[i].count += warning->count;
			return;
		}
	items = reallocarray(w->items, w->count + 1, sizeof(*items));
	if (!items) {
		w->failed = w->starved = true;
		return;
	}
	w->items = items;
	items[w->count] = *warning;
	items[w->count].example = arena_span(&w->arena, warning->example);
	if (!warning->example.ptr)
		items[w->count].example = (struct span){ 0 };
	if (warning->fields)
		items[w->count].fields = arena_span(&w->arena, span_of(warning->fields)).ptr;
	w->count++;
	w->starved |= w->arena.failed;
	w->failed |= w->starved;
}

/* The names of the fields in set that are unknown for this cause. */
static const char *join_fields(const struct record *r, struct fieldset set, int error, struct buf *names)
{
	for (size_t i = 0; i < r->schema->nfields; i++) {
		if (!wants(set, i) || r->values[i].state != VALUE_UNKNOWN || r->values[i].error != error)
			continue;
		if (names->len > 0)
			buf_puts(names, ", ");
		buf_puts(names, r->schema->fields[i].name);
	}
	return buf_cstr(names);
}

static bool seen_before(const struct record *r, struct fieldset set, size_t field)
{
	for (size_t i = 0; i < field; i++)
		if (wants(set, i) && r->values[i].state == VALUE_UNKNOWN &&
		    r->values[i].error == r->values[field].error)
			return true;
	return false;
}

void warnings_tally(struct warnings *w, const struct record *r, struct fieldset set)
{
	int ref;

	if (!r->unknowns)
		return;
	ref = schema_find(r->schema, SPAN("ref"));
	for (size_t i = 0; i < r->schema->nfields; i++) {
		_cleanup_(buf_free) struct buf names = { 0 };
		int error = r->values[i].error;

		if (!wants(set, i) || r->values[i].state != VALUE_UNKNOWN || error == WHY_TOLD ||
		    seen_before(r, set, i))
			continue;
		warnings_add(w, &(struct warning){
					.subject = r->schema->name,
					.fields = join_fields(r, set, error, &names),
					.error = error,
					.count = 1,
					.example = ref >= 0 ? r->values[ref].str : (struct span){ 0 },
				});
		w->starved |= names.failed;
		w->failed |= names.failed;
	}
}

void warnings_merge(struct warnings *w, const struct warnings *from)
{
	for (size_t i = 0; i < from->count; i++)
		warnings_add(w, &from->items[i]);
	w->incomplete |= from->incomplete;
	w->failed |= from->failed;
	w->starved |= from->starved;
}

void warnings_free(struct warnings *w)
{
	free(w->items);
	arena_free(&w->arena);
	*w = (struct warnings){ 0 };
}

static const char *cause(int error)
{
	switch (error) {
	case WHY_TOLD:
		return "cannot be read";
	case WHY_NEEDS_STATUS:
		return "read only with --status, which moves its atime and ctime";
	case WHY_NEEDS_CONTENT:
		return "read by describe --content only";
	case WHY_NEEDS_QUEUE:
		return "read by describe --queue only, which stops the process for a moment";
	case WHY_TRACED:
		return "another process traces it (ptrace(2))";
	case WHY_NOT_STOPPED:
		return "it cannot be stopped: it sleeps uninterruptibly, or has ended";
	case WHY_NOT_ATTACHED:
		return "only a process that has it attached could tell";
	case WHY_LEASED:
		return "somebody holds a lease on it (fcntl(2))";
	case WHY_OTHER_SYSTEM:
		return "with --procfs it cannot be asked of the kernel";
	case WHY_OTHER_PIDS:
		return "this /proc is that of another PID namespace";
	case WHY_NO_NAME:
		return "it was unlinked and cannot be opened any more";
	case WHY_KERNEL_TOO_OLD:
		return "this kernel does not tell";
	case WHY_TOO_LONG:
		return "the kernel shows no path over 4095 bytes";
	case WHY_OTHER_MOUNTS:
		return "it lies in another mount namespace";
	case WHY_PROC_HIDES:
		return "/proc does not show the process (hidepid)";
	case WHY_CLOCK_SET:
		return "whether that process is still the one that it records cannot be told: the clock may have been set";
	case WHY_NO_WRITER:
		return "only a descriptor that writes could tell, and none was found";
	case WHY_NOT_LOOKED:
		return "only processes could tell, and they were not looked at";
	case WHY_NOT_UNDERSTOOD:
		return "a task of another word size, or in a restarted call, does not show what it waits for";
	case WHY_NOT_AT_HAND:
		return "it is not in memory, or its file system might have to be waited for";
	case WHY_TOO_QUICK:
		return "its holders changed faster than they could be asked";
	case WHY_MOVES_ATIME:
		return "reading would move its access time (not so for its owner, or with CAP_FOWNER)";
	default:
		return strerror(error);
	}
}

void warning_text(const struct warning *warning, struct buf *b)
{
	const char *why = warning->text ? warning->text : cause(warning->error);
	bool many = warning->fields && strchr(warning->fields, ',');

	buf_puts(b, warning->subject);
	if (!warning->fields && warning->count == 0 && warning->example.ptr) {
		buf_putc(b, ' ');
		escape_into(b, warning->example);
	}
	buf_puts(b, ": ");
	if (warning->fields && warning->count == 1 && warning->example.ptr) {
		buf_printf(b, "%s of ", warning->fields);
		escape_into(b, warning->example);
		buf_printf(b, " %s unknown: ", many ? "are" : "is");
	} else if (warning->fields) {
		buf_printf(b, "%s of %llu %s unknown: ", warning->fields, (unsigned long long)warning->count,
			   many || warning->count != 1 ? "are" : "is");
	}
	if (!warning->fields && warning->count > 0)
		buf_printf(b, "%llu ", (unsigned long long)warning->count);
	buf_puts(b, why);
	if (warning->because)
		buf_printf(b, " (%s)", warning->because);
}
