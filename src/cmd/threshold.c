/* SPDX-License-Identifier: MIT */
#include "cmd/threshold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The factor that a suffix stands for, or 0: that is none of this unit. */
static double factor_of(const char *suffix, enum threshold_unit unit)
{
	static const char scale[] = "KMGT";
	const char *at = *suffix ? strchr(scale, *suffix) : NULL;
	double factor = 1;

	if (*suffix == '\0' || (unit == THRESHOLD_PERCENT && strcmp(suffix, "%") == 0))
		return 1;
	if (unit != THRESHOLD_BYTES || !at || (suffix[1] && strcmp(suffix + 1, "iB") != 0))
		return 0;
	for (const char *p = scale; p <= at; p++)
		factor *= 1024;
	return factor;
}

static int parse_number(struct span s, enum threshold_unit unit, double *out)
{
	char text[64], *end;
	double value, factor;
	size_t digits;

	/* strtod(3) takes more than that: signs, exponents, hexadecimal digits, names. */
	if (s.len == 0 || s.len >= sizeof(text) || s.ptr[0] < '0' || s.ptr[0] > '9')
		return -EINVAL;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	digits = strspn(text, "0123456789.");
	factor = factor_of(text + digits, unit);
	text[digits] = '\0';
	value = strtod(text, &end);
	if (factor == 0 || *end != '\0' || text[digits - 1] == '.')
		return -EINVAL;
	*out = value * factor;
	return 0;
}

static struct span before(struct span s, const char *at)
{
	return (struct span){ s.ptr, (size_t)(at - s.ptr) };
}

static int parse_range(struct span s, enum threshold_unit unit, struct alert_range *out)
{
	struct alert_range r = { .set = true };
	const char *colon;
	struct span high;

	if (s.len == 0)
		return 0;
	if (s.ptr[0] == '@') {
		r.inverted = true;
		s = span_from(s, 1);
	}
	colon = memchr(s.ptr, ':', s.len);
	high = colon ? span_from(s, (size_t)(colon - s.ptr) + 1) : s;
	if (colon && span_is(before(s, colon), "~"))
		r.bottomless = true;
	else if (colon && parse_number(before(s, colon), unit, &r.low) < 0)
		return -EINVAL;
	if (high.len == 0)
		r.endless = true;
	else if (parse_number(high, unit, &r.high) < 0)
		return -EINVAL;
	if ((high.len == 0 && !colon) || (!r.bottomless && !r.endless && r.low > r.high))
		return -EINVAL;
	*out = r;
	return 0;
}

int threshold_parse(struct span text, enum threshold_unit unit, struct threshold *out)
{
	const char *comma = memchr(text.ptr, ',', text.len), *colon = memchr(text.ptr, ':', text.len);
	const char *middle = comma ? comma : colon;
	struct span first = middle ? before(text, middle) : text;
	struct span second = middle ? span_from(text, first.len + 1) : (struct span){ text.ptr, 0 };
	struct threshold t = { 0 };

	/* Only what a comma parts are ranges. */
	if (!comma && (memchr(text.ptr, '@', text.len) || memchr(second.ptr, ':', second.len)))
		return -EINVAL;
	if (parse_range(first, unit, &t.warning) < 0 || parse_range(second, unit, &t.critical) < 0)
		return -EINVAL;
	/* Two plain numbers that can never warn are a mistake. */
	if (!comma && t.warning.set && t.critical.set && t.warning.high > t.critical.high)
		return -EINVAL;
	if (!t.warning.set && !t.critical.set)
		return -EINVAL;
	*out = t;
	return 0;
}

static bool alerts(const struct alert_range *r, double value)
{
	bool inside = (r->bottomless || value >= r->low) && (r->endless || value <= r->high);

	return r->set && inside == r->inverted;
}

enum check_status threshold_judge(const struct threshold *t, double value)
{
	return alerts(&t->critical, value) ? CHECK_CRITICAL :
	       alerts(&t->warning, value)  ? CHECK_WARNING :
					     CHECK_OK;
}

static void put_number(struct buf *b, double value)
{
	char text[400];
	size_t len;

	/* With what decimals it has, never with an exponent. */
	snprintf(text, sizeof(text), "%.9f", value);
	len = strlen(text);
	while (text[len - 1] == '0')
		len--;
	len -= text[len - 1] == '.';
	buf_put(b, text, len);
}

static void put_range(struct buf *b, const struct alert_range *r)
{
	if (!r->set)
		return;
	if (r->inverted)
		buf_putc(b, '@');
	if (r->bottomless)
		buf_puts(b, "~:");
	else if (r->low > 0 || r->endless || r->inverted) {
		put_number(b, r->low);
		buf_putc(b, ':');
	}
	if (!r->endless)
		put_number(b, r->high);
}

void threshold_into(struct buf *b, const struct threshold *t)
{
	put_range(b, &t->warning);
	buf_putc(b, ';');
	put_range(b, &t->critical);
}
