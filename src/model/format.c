/* SPDX-License-Identifier: MIT */
#include "model/format.h"

#include <time.h>

#include "lib/escape.h"

void format_size(struct buf *b, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;
	uint64_t tenths;

	while (unit < 6 && bytes >> (10 * (unit + 1)))
		unit++;
	if (unit == 0) {
		buf_u64(b, bytes);
		return;
	}
	/* Tenths, rounded, without overflow: whole units and rest apart. */
	tenths = (bytes >> (10 * unit)) * 10 + (((bytes >> (10 * (unit - 1))) & 1023) * 10 + 512) / 1024;
	if (tenths >= 10240 && unit < 6) {
		tenths = 10;
		unit++;
	}
	if (tenths % 10 == 0 || tenths >= 1000) {
		buf_u64(b, (tenths + 5) / 10);
	} else {
		buf_u64(b, tenths / 10);
		buf_putc(b, '.');
		buf_u64(b, tenths % 10);
	}
	buf_putc(b, units[unit]);
}

void format_duration(struct buf *b, uint64_t s)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (s >= units[i].seconds || units[i].seconds == 1) {
			buf_u64(b, s / units[i].seconds);
			buf_putc(b, units[i].unit);
			return;
		}
}

/* A year of at most four digits, with four: strftime(3) would write fewer. */
static bool put_year(struct buf *b, const struct tm *tm)
{
	if (tm->tm_year < -1900 || tm->tm_year > 9999 - 1900)
		return false;
	buf_printf(b, "%04d", tm->tm_year + 1900);
	return true;
}

bool format_rfc3339(struct buf *b, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (t != seconds || !gmtime_r(&t, &tm) || !put_year(b, &tm))
		return false;
	buf_put(b, text, strftime(text, sizeof(text), "-%m-%dT%H:%M:%SZ", &tm));
	return true;
}

static void format_time(struct buf *b, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (t == seconds && localtime_r(&t, &tm) && put_year(b, &tm))
		buf_put(b, text, strftime(text, sizeof(text), "-%m-%d %H:%M:%S", &tm));
	else
		buf_i64(b, seconds);
}

size_t format_mode(char out[static 6], uint64_t mode)
{
	size_t n = 0;

	out[n++] = '0';
	for (int shift = mode > 0777 ? 9 : 6; shift >= 0; shift -= 3)
		out[n++] = (char)('0' + (mode >> shift & 7));
	out[n] = '\0';
	return n;
}

size_t format_key(char out[static 11], uint64_t key)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '0';
	out[1] = 'x';
	for (size_t i = 0; i < 8; i++)
		out[2 + i] = hex[key >> (28 - 4 * i) & 15];
	out[10] = '\0';
	return 10;
}

static void format_percent(struct buf *b, uint64_t hundredths, enum format_style style)
{
	if (style != FORMAT_MACHINE) {
		/* Rounded down: 99% is not full. */
		if (hundredths > 0 && hundredths < 100)
			buf_putc(b, '<');
		buf_u64(b, hundredths > 0 && hundredths < 100 ? 1 : hundredths / 100);
		buf_putc(b, '%');
		return;
	}
	buf_u64(b, hundredths / 100);
	buf_putc(b, '.');
	buf_putc(b, (char)('0' + hundredths / 10 % 10));
	buf_putc(b, (char)('0' + hundredths % 10));
}

void format_str(struct buf *b, struct span s)
{
	if (s.len == 0)
		buf_puts(b, "\\0");
	else if (span_is(s, "-") || span_is(s, "?"))
		buf_puts(b, s.ptr[0] == '-' ? "\\x2d" : "\\x3f");
	else
		escape_into(b, s);
}

/* Rows are separated by blanks, values by colons: those within a value are escaped, so that
 * none can imitate another row. Times are told in seconds, which have neither. */
static void format_cell(struct buf *b, const struct field *field, const struct value *v,
			enum format_style style)
{
	_cleanup_(buf_free) struct buf text = { 0 };

	format_value(&text, field, v, field->type == FIELD_TIME ? FORMAT_MACHINE : style);
	b->failed |= text.failed;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == ':')
			buf_puts(b, "\\x3a");
		else if (text.data[i] == ' ')
			buf_puts(b, "\\x20");
		else
			buf_putc(b, text.data[i]);
	}
}

static void format_list(struct buf *b, const struct list *list, enum format_style style)
{
	size_t width = list->schema->nfields;

	if (list->count == 0)
		buf_puts(b, "(none)");
	for (size_t i = 0; i < list->count * width; i++) {
		if (i > 0)
			buf_putc(b, i % width ? ':' : ' ');
		format_cell(b, &list->schema->fields[i % width], &list->cells[i], style);
	}
}

void format_value(struct buf *b, const struct field *field, const struct value *v, enum format_style style)
{
	char short_text[11];

	if (v->state != VALUE_SET) {
		buf_putc(b, v->state == VALUE_ABSENT ? '-' : '?');
		return;
	}
	switch (field->type) {
	case FIELD_U64:
	case FIELD_UID:
	case FIELD_GID:
	case FIELD_PID:
		buf_u64(b, v->u64);
		break;
	case FIELD_I64:
		buf_i64(b, v->i64);
		break;
	case FIELD_BYTES:
		if (style == FORMAT_HUMAN)
			format_size(b, v->u64);
		else
			buf_u64(b, v->u64);
		break;
	case FIELD_PERCENT:
		format_percent(b, v->u64, style);
		break;
	case FIELD_MODE:
		buf_put(b, short_text, format_mode(short_text, v->u64));
		break;
	case FIELD_KEY:
		buf_put(b, short_text, format_key(short_text, v->u64));
		break;
	case FIELD_TIME:
		if (style == FORMAT_MACHINE)
			buf_i64(b, v->i64);
		else
			format_time(b, v->i64);
		break;
	case FIELD_DURATION:
		if (style == FORMAT_MACHINE)
			buf_u64(b, v->u64);
		else
			format_duration(b, v->u64);
		break;
	case FIELD_STR:
	case FIELD_REF:
	case FIELD_BLOB:
		format_str(b, v->str);
		break;
	case FIELD_BOOL:
		buf_puts(b, v->flag ? "yes" : "no");
		break;
	case FIELD_LIST:
		format_list(b, v->list, style);
		break;
	}
}
