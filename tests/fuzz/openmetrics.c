/* SPDX-License-Identifier: MIT */
/* Metrics with labels of any bytes, against a reader of our own of the text format. */
#include <inttypes.h>

#include "fuzz.h"
#include "lib/escape.h"
#include "lib/parse.h"
#include "render/openmetrics.h"
#include "shown.h"

#define MOST_LABELS 4

static const char *const names[MOST_LABELS] = { "kind", "owner", "ref", "state" };

static void cut(struct span *s, const char *what)
{
	EXPECT(span_starts(*s, what));
	*s = span_from(*s, strlen(what));
}

/* A quoted value: in it only \\, \" and \n are escapes. What it means is escaped as all output is. */
static void read_value(struct span *s, struct span expected)
{
	struct buf shown = { 0 }, raw = { 0 };

	cut(s, "\"");
	for (;;) {
		EXPECT(s->len > 0 && s->ptr[0] != '\n');
		if (s->ptr[0] == '"')
			break;
		if (s->ptr[0] == '\\') {
			*s = span_from(*s, 1);
			EXPECT(s->len > 0 && strchr("\\\"", s->ptr[0]));
		}
		buf_putc(&shown, s->ptr[0]);
		*s = span_from(*s, 1);
	}
	cut(s, "\"");
	EXPECT(unescape_into(&raw, buf_span(&shown)) == 0 && span_eq(buf_span(&raw), expected));
	buf_free(&shown);
	buf_free(&raw);
}

static void read_sample(struct span line, const struct metric_label *labels, size_t n, const char *number)
{
	cut(&line, "ipcctl_test_bytes");
	for (size_t i = 0; i < n; i++) {
		cut(&line, i == 0 ? "{" : ",");
		cut(&line, labels[i].name);
		cut(&line, "=");
		read_value(&line, labels[i].value);
	}
	if (n > 0)
		cut(&line, "}");
	cut(&line, " ");
	EXPECT(span_is(line, number));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint64_t value = take_number(&in), scale = 1;
	unsigned digits = (unsigned)take_below(&in, 10);
	size_t n = take_below(&in, MOST_LABELS + 1);
	struct metric_label labels[MOST_LABELS];
	struct span rest, line;
	struct buf out = { 0 };
	char number[64];

	for (size_t i = 0; i < n; i++)
		labels[i] = (struct metric_label){ names[i], take_text(&in) };
	for (unsigned i = 0; i < digits; i++)
		scale *= 10;
	openmetrics_family(&out, "ipcctl_test_bytes", "bytes", "Test.");
	openmetrics_count(&out, "ipcctl_test_bytes", labels, n, value);
	openmetrics_fraction(&out, "ipcctl_test_bytes", labels, n, value, scale * 10);
	openmetrics_end(&out);
	EXPECT(!out.failed && is_shown(buf_span(&out), "\n"));
	rest = buf_span(&out);
	for (size_t i = 0; i < 3; i++)
		EXPECT(next_line(&rest, &line) && span_starts(line, "# "));
	snprintf(number, sizeof(number), "%" PRIu64, value);
	EXPECT(next_line(&rest, &line));
	read_sample(line, labels, n, number);
	snprintf(number, sizeof(number), "%" PRIu64 ".%0*" PRIu64, value / (scale * 10), (int)digits + 1,
		 value % (scale * 10));
	EXPECT(next_line(&rest, &line));
	read_sample(line, labels, n, number);
	EXPECT(span_is(rest, "# EOF\n"));
	buf_free(&out);
	return 0;
}
