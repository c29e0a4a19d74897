/* SPDX-License-Identifier: MIT */
#include "render/openmetrics.h"

#include <inttypes.h>

#include "lib/escape.h"

void openmetrics_family(struct buf *b, const char *name, const char *unit, const char *help)
{
	buf_printf(b, "# TYPE %s gauge\n", name);
	if (*unit)
		buf_printf(b, "# UNIT %s %s\n", name, unit);
	buf_printf(b, "# HELP %s %s\n", name, help);
}

/*
 * Of a value that is fit to be shown, only the quote and the backslash are special: a newline is escaped
 * already. What stands for a strange byte begins with a backslash, too, and so with two of them.
 */
static void put_value(struct buf *b, struct span value)
{
	struct buf shown = { 0 };

	escape_into(&shown, value);
	for (size_t i = 0; i < shown.len; i++) {
		if (shown.data[i] == '"' || shown.data[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, shown.data[i]);
	}
	b->failed |= shown.failed;
	buf_free(&shown);
}

static void put_labels(struct buf *b, const char *name, const struct metric_label *labels, size_t nlabels)
{
	buf_puts(b, name);
	for (size_t i = 0; i < nlabels; i++) {
		buf_putc(b, i == 0 ? '{' : ',');
		buf_printf(b, "%s=\"", labels[i].name);
		put_value(b, labels[i].value);
		buf_putc(b, '"');
	}
	if (nlabels > 0)
		buf_putc(b, '}');
	buf_putc(b, ' ');
}

void openmetrics_count(struct buf *b, const char *name, const struct metric_label *labels, size_t nlabels,
		       uint64_t value)
{
	put_labels(b, name, labels, nlabels);
	buf_printf(b, "%" PRIu64 "\n", value);
}

void openmetrics_fraction(struct buf *b, const char *name, const struct metric_label *labels, size_t nlabels,
			  uint64_t value, uint64_t scale)
{
	int digits = 0;

	for (uint64_t rest = scale; rest >= 10; rest /= 10)
		digits++;
	put_labels(b, name, labels, nlabels);
	buf_printf(b, "%" PRIu64 ".%0*" PRIu64 "\n", value / scale, digits, value % scale);
}

void openmetrics_end(struct buf *b)
{
	buf_puts(b, "# EOF\n");
}
