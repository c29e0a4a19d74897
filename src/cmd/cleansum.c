/* SPDX-License-Identifier: MIT */
#include "cmd/cleansum.h"

#include <inttypes.h>

#include "lib/capability.h"
#include "model/format.h"

/* What the sum says of those with an outcome, or of those that are to go. */
struct sum {
	uint64_t objects, bytes;
};

static struct sum sum_of(const struct cleaning *clean, enum clean_outcome outcome)
{
	struct sum sum = { 0 };

	for (size_t i = 0; i < clean->count; i++) {
		const struct candidate *c = &clean->items[i];

		if (c->action != CLEAN_REMOVE || c->outcome != outcome)
			continue;
		sum.objects++;
		sum.bytes += c->bytes.state == VALUE_SET ? c->bytes.u64 : 0;
	}
	return sum;
}

static void put_sum(struct buf *b, const struct sum *sum)
{
	buf_printf(b, "%" PRIu64 " object%s", sum->objects, sum->objects == 1 ? "" : "s");
	if (sum->bytes == 0)
		return;
	buf_puts(b, ", ");
	format_size(b, sum->bytes);
}

/* Those that might have gone, had more been known or allowed; and what would help. */
static void say_denied(struct buf *b, uint64_t count)
{
	static const int useful[] = { CAP_LEASE, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN };
	const char *before = "; more rights could tell: ";

	buf_printf(b, "; %" PRIu64 " spared for want of proof or rights", count);
	for (size_t i = 0; i < ARRAY_SIZE(useful); i++) {
		if (capability_has(useful[i]))
			continue;
		buf_puts(b, before);
		buf_puts(b, capability_name(useful[i]));
		before = ", ";
	}
}

/* The closing line. */
void cleaning_say_sum(struct context *c, const struct cleaning *clean, bool removed)
{
	struct sum done = sum_of(clean, removed ? OUTCOME_REMOVED : OUTCOME_NONE);
	struct sum spared = sum_of(clean, OUTCOME_SPARED), failed = sum_of(clean, OUTCOME_FAILED);
	struct sum left = sum_of(clean, OUTCOME_NONE);
	_cleanup_(buf_free) struct buf b = { 0 };

	if (done.objects > 0)
		put_sum(&b, &done);
	else
		buf_puts(&b, "nothing");
	buf_puts(&b, removed ? " removed" : " would be removed");
	if (spared.objects > 0)
		buf_printf(&b, "; %" PRIu64 " spared, for they changed", spared.objects);
	if (failed.objects > 0)
		buf_printf(&b, "; %" PRIu64 " failed", failed.objects);
	if (removed && left.objects > 0)
		buf_printf(&b, "; interrupted, %" PRIu64 " left", left.objects);
	if (clean->denied > 0)
		say_denied(&b, clean->denied);
	out_flush(&c->out);
	if (buf_cstr(&b))
		diag_note(&c->diag, "%s", b.data);
}

void cleaning_put_sum(struct buf *b, const struct cleaning *clean, enum clean_outcome outcome)
{
	struct sum sum = sum_of(clean, outcome);

	put_sum(b, &sum);
}
