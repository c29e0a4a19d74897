/* SPDX-License-Identifier: MIT */
/* Thresholds: what text is one, what each value is by it, and how it is printed. */
#include "unit.h"

#include "cmd/threshold.h"

#define COUNT THRESHOLD_COUNT
#define PERCENT THRESHOLD_PERCENT
#define BYTES THRESHOLD_BYTES
#define OK CHECK_OK
#define WARN CHECK_WARNING
#define CRIT CHECK_CRITICAL

static int parse(const char *text, enum threshold_unit unit, struct threshold *out)
{
	struct span copy = exact(span_of(text));
	int e = threshold_parse(copy, unit, out);

	free((char *)copy.ptr);
	return e;
}

static struct threshold parsed(const char *text, enum threshold_unit unit)
{
	struct threshold t = { 0 };

	if (parse(text, unit, &t) != 0)
		fail_msg("\"%s\" is no threshold", text);
	return t;
}

/* One text, and what values are by it. */
struct judged {
	const char *text;
	struct {
		double value;
		enum check_status status;
	} values[8];
	size_t n;
};

#define VALUES(...) { __VA_ARGS__ }, sizeof((double[][2]){ __VA_ARGS__ }) / sizeof(double[2])

static void check_judged(const struct judged *cases, size_t n, enum threshold_unit unit)
{
	for (size_t i = 0; i < n; i++) {
		struct threshold t = parsed(cases[i].text, unit);

		for (size_t j = 0; j < cases[i].n; j++) {
			enum check_status got = threshold_judge(&t, cases[i].values[j].value);

			if (got != cases[i].values[j].status)
				fail_msg("\"%s\" of %f: %d", cases[i].text, cases[i].values[j].value, got);
		}
	}
}

/* The table of the Monitoring Plugins Development Guidelines: when is an alert raised? */
static void test_ranges(void **state _unused_)
{
	static const struct judged cases[] = {
		{ "10,", VALUES({ -0.5, WARN }, { 0, OK }, { 5, OK }, { 10, OK }, { 10.01, WARN }) },
		{ "10:,", VALUES({ 0, WARN }, { 9.99, WARN }, { 10, OK }, { 1e18, OK }) },
		{ "~:10,", VALUES({ -1e18, OK }, { 0, OK }, { 10, OK }, { 10.01, WARN }) },
		{ "10:20,", VALUES({ 9.99, WARN }, { 10, OK }, { 15, OK }, { 20, OK }, { 20.01, WARN }) },
		{ "@10:20,", VALUES({ 9.99, OK }, { 10, WARN }, { 15, WARN }, { 20, WARN }, { 20.01, OK }) },
		{ "@10,", VALUES({ -0.5, OK }, { 0, WARN }, { 10, WARN }, { 10.01, OK }) },
		{ "@10:,", VALUES({ 9.99, OK }, { 10, WARN }, { 1e18, WARN }) },
		{ "@~:10,", VALUES({ -1e18, WARN }, { 10, WARN }, { 10.01, OK }) },
		{ "~:,", VALUES({ -1e18, OK }, { 0, OK }, { 1e18, OK }) },
		{ "0:0,", VALUES({ 0, OK }, { 0.01, WARN }) },
		{ "10:10,", VALUES({ 9, WARN }, { 10, OK }, { 11, WARN }) },
	};

	check_judged(cases, ARRAY_SIZE(cases), THRESHOLD_COUNT);
}

/* Critical counts before warning, whatever the two say. */
static void test_both(void **state _unused_)
{
	static const struct judged cases[] = {
		{ "10:20", VALUES({ 0, OK }, { 10, OK }, { 10.01, WARN }, { 20, WARN }, { 20.01, CRIT }) },
		{ "10:10", VALUES({ 10, OK }, { 10.01, CRIT }) },
		{ "0:0", VALUES({ 0, OK }, { 1, CRIT }) },
		{ "10,20", VALUES({ 0, OK }, { 10, OK }, { 10.01, WARN }, { 20, WARN }, { 20.01, CRIT }) },
		{ "20,10", VALUES({ 10, OK }, { 11, CRIT }, { 21, CRIT }) },
		{ "1:80,~:95",
		  VALUES({ 0, WARN }, { 1, OK }, { 80, OK }, { 81, WARN }, { 95, WARN }, { 96, CRIT }) },
		{ "10:,5:", VALUES({ 4, CRIT }, { 5, WARN }, { 9, WARN }, { 10, OK }) },
		{ "@1:5,@6:9",
		  VALUES({ 0, OK }, { 1, WARN }, { 5, WARN }, { 6, CRIT }, { 9, CRIT }, { 10, OK }) },
	};

	check_judged(cases, ARRAY_SIZE(cases), THRESHOLD_COUNT);
}

static void test_one_side(void **state _unused_)
{
	static const struct judged cases[] = {
		{ "80", VALUES({ 0, OK }, { 80, OK }, { 80.01, WARN }, { 1e9, WARN }) },
		{ "80:", VALUES({ 0, OK }, { 80, OK }, { 80.01, WARN }, { 1e9, WARN }) },
		{ ":95", VALUES({ 0, OK }, { 95, OK }, { 95.01, CRIT }) },
		{ "80,", VALUES({ 80, OK }, { 80.01, WARN }) },
		{ ",95", VALUES({ 95, OK }, { 95.01, CRIT }) },
		{ ",@95:", VALUES({ 94.99, OK }, { 95, CRIT }) },
	};

	check_judged(cases, ARRAY_SIZE(cases), THRESHOLD_COUNT);
}

static void test_decimals(void **state _unused_)
{
	static const struct judged cases[] = {
		{ "0.5:1.25", VALUES({ 0.5, OK }, { 0.51, WARN }, { 1.25, WARN }, { 1.26, CRIT }) },
		{ "79.99%:95.5%", VALUES({ 79.99, OK }, { 80, WARN }, { 95.5, WARN }, { 95.51, CRIT }) },
		{ "80%:95", VALUES({ 80, OK }, { 80.01, WARN }, { 95.01, CRIT }) },
		{ "10%:20%,@30%:40%", VALUES({ 9, WARN }, { 15, OK }, { 25, WARN }, { 30, CRIT }) },
		{ "007:08", VALUES({ 7, OK }, { 8, WARN }, { 9, CRIT }) },
	};

	check_judged(cases, ARRAY_SIZE(cases), THRESHOLD_PERCENT);
}

static void test_bytes(void **state _unused_)
{
	static const struct judged cases[] = {
		{ "100:200", VALUES({ 100, OK }, { 101, WARN }, { 201, CRIT }) },
		{ "1K:1M", VALUES({ 1024, OK }, { 1025, WARN }, { 1048576, WARN }, { 1048577, CRIT }) },
		{ "1G:1T", VALUES({ 1073741824.0, OK }, { 1073741825.0, WARN }, { 1099511627777.0, CRIT }) },
		{ "1KiB:1MiB", VALUES({ 1024, OK }, { 1025, WARN }, { 1048577, CRIT }) },
		{ "1GiB:1TiB",
		  VALUES({ 1073741824.0, OK }, { 1073741825.0, WARN }, { 1099511627777.0, CRIT }) },
		{ "1.5K", VALUES({ 1536, OK }, { 1537, WARN }) },
		{ "1K:2K,~:1M",
		  VALUES({ 0, WARN }, { 1024, OK }, { 2048, OK }, { 2049, WARN }, { 1048577, CRIT }) },
	};

	check_judged(cases, ARRAY_SIZE(cases), THRESHOLD_BYTES);
}

/* Nothing that looks a little like a threshold is taken for one, and out stays as it was. */
static void test_malformed(void **state _unused_)
{
	static const char *const texts[] = {
		"",	     ":",	 ",",	   "@",	      "~",	"@,",	  "@:,",      ":,",
		",:",	     "~,",	 "x",	   "x:1",     "1:x",	"1,x",	  "x,1",      "-1",
		"-1:5,",     "+1",	 "1e3",	   "0x10",    "inf",	"nan",	  "1..2",     "1.2.3",
		".5",	     ".",	 " 1",	   "1 ",      "1 :2",	"1: 2",	  "1%%",      "%",
		"1KK",	     "K",	 "1k",	   "1KB",     "1Ki",	"1KiBx",  "1iB",      "1P",
		"20:10",     "10:20:30", "1:2:3,", "1,2,3",   "20:10,", ",20:10", "10,20:10", "@20:10,",
		"1:2,3:4,5", "~:10",	 "@10",	   "@10:20",  "10:@20", "10:~",	  "~10,",     "10:~,",
		"@@1,",	     "1@,",	 "~:@1,",  "10:20@,", "1;2",	"1-2",	  "1/2",      "\xff",
		"1\n",	     ":10,",	 ",:10",   "1.",      "1.:2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (enum threshold_unit unit = THRESHOLD_COUNT; unit <= THRESHOLD_BYTES; unit++) {
			struct threshold t = { .warning = { .high = 4711 } };

			if (parse(texts[i], unit, &t) != -EINVAL)
				fail_msg("\"%s\" was taken for a threshold", texts[i]);
			assert_true(t.warning.high == 4711 && !t.warning.set && !t.critical.set);
		}
}

/* Suffixes are those of the unit. */
static void test_foreign_suffixes(void **state _unused_)
{
	struct threshold t;

	assert_int_equal(parse("1%", THRESHOLD_COUNT, &t), -EINVAL);
	assert_int_equal(parse("1K", THRESHOLD_COUNT, &t), -EINVAL);
	assert_int_equal(parse("1K", THRESHOLD_PERCENT, &t), -EINVAL);
	assert_int_equal(parse("1%", THRESHOLD_BYTES, &t), -EINVAL);
}

static void test_long_numbers(void **state _unused_)
{
	struct threshold t;
	char digits[80];

	memset(digits, '9', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	assert_int_equal(parse(digits, THRESHOLD_COUNT, &t), -EINVAL);
	t = parsed("18446744073709551615", THRESHOLD_COUNT);
	assert_int_equal(threshold_judge(&t, 1e19), CHECK_OK);
	assert_int_equal(threshold_judge(&t, 1e20), CHECK_WARNING);
}

/* What performance data show is what was asked for: read again it judges the same. */
static void test_printed(void **state _unused_)
{
	static const struct {
		const char *text;
		enum threshold_unit unit;
		const char *printed;
	} cases[] = {
		{ "80:95", PERCENT, "80;95" },
		{ "80%:95%", PERCENT, "80;95" },
		{ "80", COUNT, "80;" },
		{ ":95", COUNT, ";95" },
		{ "10,20", COUNT, "10;20" },
		{ "0:0", COUNT, "0;0" },
		{ "0:10,0:20", COUNT, "10;20" },
		{ "10:,5:", COUNT, "10:;5:" },
		{ "0:,~:", COUNT, "0:;~:" },
		{ "~:10,~:20", COUNT, "~:10;~:20" },
		{ "10:20,5:25", COUNT, "10:20;5:25" },
		{ "@10:20,@10", COUNT, "@10:20;@0:10" },
		{ "@~:10,@10:", COUNT, "@~:10;@10:" },
		{ "1:80,~:95", PERCENT, "1:80;~:95" },
		{ "1G:10G", BYTES, "1073741824;10737418240" },
		{ "1.5K", BYTES, "1536;" },
		{ "0.5:99.25", PERCENT, "0.5;99.25" },
		{ "0.001:0.125", PERCENT, "0.001;0.125" },
		{ "18446744073709551616:", BYTES, "18446744073709551616;" },
		{ "100000000000000000000T", BYTES, "109951162777600000000000000000000;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct threshold t = parsed(cases[i].text, cases[i].unit);
		struct buf b = { 0 };

		threshold_into(&b, &t);
		assert_buf(&b, cases[i].printed);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_one_side),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_foreign_suffixes),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
