/* SPDX-License-Identifier: MIT */
/* Thresholds of check: what was understood is written so that it is understood again. */
#include "cmd/threshold.h"
#include "fuzz.h"

/* "W;C" of performance data as the option takes it: "W,C". */
static int parse_back(struct buf *written, enum threshold_unit unit, struct threshold *t)
{
	char *semicolon = memchr(written->data, ';', written->len);
	int r;

	EXPECT(!written->failed && semicolon);
	*semicolon = ',';
	r = threshold_parse(buf_span(written), unit, t);
	*semicolon = ';';
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const double values[] = { 0, 0.5, 1, 10, 99, 100, 1e6, 1e18 };
	struct input in = { data, size };
	enum threshold_unit unit = (enum threshold_unit)take_below(&in, 3);
	struct buf first = { 0 }, second = { 0 };
	struct threshold t, again, last;
	int r = threshold_parse(take_rest(&in), unit, &t);

	EXPECT(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		EXPECT(threshold_judge(&t, values[i]) <= CHECK_CRITICAL);
	threshold_into(&first, &t);
	/* The option takes no longer numbers; and what is less than it writes is lost once. */
	if (first.len < 60) {
		EXPECT(parse_back(&first, unit, &again) == 0);
		threshold_into(&second, &again);
		EXPECT(parse_back(&second, unit, &last) == 0);
		for (size_t i = 0; i < ARRAY_SIZE(values); i++)
			EXPECT(threshold_judge(&again, values[i]) == threshold_judge(&last, values[i]));
	}
	buf_free(&first);
	buf_free(&second);
	return 0;
}
