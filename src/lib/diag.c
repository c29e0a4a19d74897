/* SPDX-License-Identifier: MIT */
#include "lib/diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/escape.h"
#include "lib/out.h"

static void put_line(struct diag *d, struct buf *line)
{
	static const char last_words[] = "ipcctl: out of memory\n";

	/* Nobody is left to tell if standard error itself fails. */
	if (line->failed ? write_all(d->fd, last_words, sizeof(last_words) - 1) < 0 :
			   write_all(d->fd, line->data, line->len) < 0)
		return;
}

/* A message longer than this is cut: somebody chose a very long name. */
#define LONGEST ((size_t)1000)

_printf_(2, 0) static void say(struct diag *d, const char *fmt, va_list ap)
{
	_cleanup_(free_ptr) char *text = NULL;
	_cleanup_(buf_free) struct buf line = { 0 };
	struct span message;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	message = span_of(text ? text : "out of memory");
	buf_puts(&line, "ipcctl: ");
	if (message.len > LONGEST) {
		escape_into(&line, (struct span){ message.ptr, LONGEST / 2 });
		buf_printf(&line, " [%zu bytes cut] ", message.len - LONGEST);
		message = span_from(message, message.len - LONGEST / 2);
	}
	escape_into(&line, message);
	buf_putc(&line, '\n');
	put_line(d, &line);
}

void diag_error(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	d->errors++;
	va_start(ap, fmt);
	say(d, fmt, ap);
	va_end(ap);
}

void diag_note(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (d->quiet)
		return;
	va_start(ap, fmt);
	say(d, fmt, ap);
	va_end(ap);
}

static void say_escaped(struct diag *d, const char *text)
{
	_cleanup_(buf_free) struct buf line = { 0 };

	buf_printf(&line, "ipcctl: %s\n", text);
	put_line(d, &line);
}

void diag_error_escaped(struct diag *d, const char *text)
{
	d->errors++;
	say_escaped(d, text);
}

void diag_note_escaped(struct diag *d, const char *text)
{
	if (!d->quiet)
		say_escaped(d, text);
}

int diag_usage(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(d, fmt, ap);
	va_end(ap);
	return 2;
}

const char *error_text(int error)
{
	/* strerrordesc_np() is not in musl; strerror() here is never localised,
	 * because the program never calls setlocale(). */
	return strerror(error < 0 ? -error : error);
}
