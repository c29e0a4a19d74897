/* SPDX-License-Identifier: MIT */
#include "cmd/checkline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/escape.h"
#include "model/format.h"

static const char *const names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* The bar begins performance data. */
static void put_without_bars(struct buf *b, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '|')
			buf_puts(b, "\\x7c");
		else
			buf_putc(b, text.ptr[i]);
}

/* Appends a text of which parts may be hostile. */
_printf_(2, 0) static void put_text(struct buf *b, const char *fmt, va_list ap)
{
	_cleanup_(buf_free) struct buf shown = { 0 };
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		b->failed = true;
		return;
	}
	escape_into(&shown, span_of(text));
	free(text);
	b->failed |= shown.failed;
	put_without_bars(b, buf_span(&shown));
}

_printf_(4, 0) static void add_text(struct check_line *line, struct buf *b, enum check_status status,
				    const char *fmt, va_list ap)
{
	/* What is known to be bad is worse than what is not known. */
	static const int badness[] = {
		[CHECK_OK] = 0, [CHECK_UNKNOWN] = 1, [CHECK_WARNING] = 2, [CHECK_CRITICAL] = 3
	};

	if (b->len > 0)
		buf_puts(b, ", ");
	put_text(b, fmt, ap);
	if (badness[status] > badness[line->status])
		line->status = status;
}

void check_text(struct check_line *line, enum check_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_text(line,
		 status == CHECK_OK	 ? &line->fine :
		 status == CHECK_WARNING ? &line->warnings :
					   &line->critical,
		 status, fmt, ap);
	va_end(ap);
}

void check_unread(struct check_line *line, enum check_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_text(line, &line->unread, status, fmt, ap);
	va_end(ap);
}

void check_more(struct check_line *line, enum check_status status, const char *fmt, ...)
{
	va_list ap;

	if (status == CHECK_OK)
		return;
	va_start(ap, fmt);
	put_text(&line->more, fmt, ap);
	va_end(ap);
	buf_putc(&line->more, '\n');
}

void check_more_escaped(struct check_line *line, const char *text)
{
	put_without_bars(&line->more, span_of(text));
	buf_putc(&line->more, '\n');
}

void check_percent(struct check_line *line, const struct threshold *t, double value, const char *label, ...)
{
	va_list ap;

	buf_puts(&line->data, line->data.len > 0 ? " '" : "'");
	va_start(ap, label);
	put_text(&line->data, label, ap);
	va_end(ap);
	buf_printf(&line->data, "'=%.2f%%;", value);
	threshold_into(&line->data, t);
	buf_puts(&line->data, ";0;100");
}

void check_number(struct check_line *line, const struct threshold *t, uint64_t value, const char *unit,
		  const char *label)
{
	buf_printf(&line->data, "%s'%s'=%" PRIu64 "%s;", line->data.len > 0 ? " " : "", label, value, unit);
	threshold_into(&line->data, t);
	buf_puts(&line->data, ";0;");
}

void check_fullest(struct check_line *line, const char *limit, double percent)
{
	if (line->fullest_limit && percent <= line->fullest)
		return;
	line->fullest_limit = limit;
	line->fullest = percent;
}

void check_size(struct buf *b, uint64_t bytes)
{
	size_t before = b->len;

	format_size(b, bytes);
	/* "1.2G": of bytes alone there is no letter. */
	if (bytes < 1024 || b->failed || b->len == before) {
		buf_puts(b, " B");
		return;
	}
	b->len--;
	buf_printf(b, " %ciB", b->data[b->len]);
}

static void put_part(struct buf *out, const struct buf *part, bool *any)
{
	if (part->len == 0)
		return;
	buf_puts(out, *any ? ", " : "");
	buf_put_span(out, buf_span(part));
	*any = true;
}

int check_error(const struct check_line *line)
{
	const struct buf *const parts[] = { &line->critical, &line->warnings, &line->fine,
					    &line->unread,   &line->data,     &line->more };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i]->failed)
			return -ENOMEM;
	return 0;
}

int check_print(struct check_line *line, struct buf *out)
{
	bool any = false;

	buf_printf(out, "IPC %s - ", names[line->status]);
	put_part(out, &line->critical, &any);
	put_part(out, &line->warnings, &any);
	if (line->status == CHECK_OK && line->fullest_limit) {
		buf_printf(out, "%sfullest limit %s %.0f%%", any ? ", " : "", line->fullest_limit,
			   line->fullest);
		any = true;
	}
	if (line->status == CHECK_OK)
		put_part(out, &line->fine, &any);
	put_part(out, &line->unread, &any);
	buf_puts(out, any ? "" : "nothing is wrong");
	if (line->data.len > 0) {
		buf_puts(out, " | ");
		buf_put_span(out, buf_span(&line->data));
	}
	buf_putc(out, '\n');
	buf_put_span(out, buf_span(&line->more));
	return (int)line->status;
}

void check_free(struct check_line *line)
{
	buf_free(&line->critical);
	buf_free(&line->warnings);
	buf_free(&line->fine);
	buf_free(&line->unread);
	buf_free(&line->data);
	buf_free(&line->more);
}

int check_cannot(struct context *c, const char *fmt, ...)
{
	struct buf *out = out_buf(&c->out);
	va_list ap;

	buf_puts(out, "IPC UNKNOWN - ");
	va_start(ap, fmt);
	put_text(out, fmt, ap);
	va_end(ap);
	buf_putc(out, '\n');
	return CHECK_UNKNOWN;
}
