/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <signal.h>

#include "lib/parse.h"
#include "lib/signals.h"

#define UNTOUCHED 0x5555555555555555u

struct expectation {
	const char *word;
	int result;
	uint64_t value;
};

typedef int parser_fn(struct span s, uint64_t *out);

static void expect_all(parser_fn *parse, const struct expectation *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span word = exact(span_of(e[i].word));
		uint64_t v = UNTOUCHED;
		int r = parse(word, &v);

		if (r != e[i].result || v != (r < 0 ? UNTOUCHED : e[i].value))
			fail_msg("\"%s\": got %d, %llu; expected %d, %llu", e[i].word, r,
				 (unsigned long long)v, e[i].result, (unsigned long long)e[i].value);
		free((void *)word.ptr);
	}
}

static void unsigned_numbers(void **state)
{
	static const struct expectation e[] = {
		{ "0", 0, 0 },
		{ "42", 0, 42 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073692774399", 0, 18446744073692774399u },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "0XfF", 0, 255 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "99999999999999999999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "x", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "-0", -EINVAL, 0 },
		{ "1a", -EINVAL, 0 },
		{ "0xg", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "\xd9\xa1", -EINVAL, 0 }, /* ARABIC-INDIC DIGIT ONE */
	};
	struct span zero = { "1\0002", 3 };
	uint64_t v = UNTOUCHED;

	(void)state;
	expect_all(parse_u64, e, ARRAY_SIZE(e));
	assert_int_equal(parse_u64(zero, &v), -EINVAL);
	assert_int_equal(v, UNTOUCHED);
}

static void signed_numbers(void **state)
{
	static const struct {
		const char *word;
		int result;
		int64_t value;
	} e[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "-1", 0, -1 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775809", -ERANGE, 0 },
		{ "--1", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "- 1", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		int64_t v = -77;

		assert_int_equal(parse_i64(span_of(e[i].word), &v), e[i].result);
		assert_true(v == (e[i].result < 0 ? -77 : e[i].value));
	}
}

static void ranges(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_int_equal(parse_u64_in(SPAN("5"), 5, 7, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(parse_u64_in(SPAN("7"), 5, 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(parse_u64_in(SPAN("4"), 5, 7, &v), -ERANGE);
	assert_int_equal(parse_u64_in(SPAN("8"), 5, 7, &v), -ERANGE);
	assert_int_equal(parse_u64_in(SPAN("z"), 5, 7, &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void sizes(void **state)
{
	static const struct expectation e[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "1K", 0, 1024 },
		{ "1k", 0, 1024 },
		{ "64KiB", 0, 65536 },
		{ "3M", 0, 3u << 20 },
		{ "2G", 0, 2ull << 30 },
		{ "5T", 0, 5ull << 40 },
		{ "0x1000", 0, 4096 },
		{ "16777215T", 0, 16777215ull << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18014398509481984K", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "1.5M", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1Q", -EINVAL, 0 },
	};

	(void)state;
	expect_all(parse_size, e, ARRAY_SIZE(e));
}

static void ages(void **state)
{
	static const struct expectation e[] = {
		{ "0", 0, 0 },
		{ "90", 0, 90 },
		{ "90s", 0, 90 },
		{ "10m", 0, 600 },
		{ "2h", 0, 7200 },
		{ "1d", 0, 86400 },
		{ "1w", 0, 604800 },
		{ "1h30m", 0, 5400 },
		{ "18446744073709551615s", 0, UINT64_MAX },
		{ "18446744073709551615m", -ERANGE, 0 },
		{ "18446744073709551615s1s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "m", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "1y", -EINVAL, 0 },
		{ "-1h", -EINVAL, 0 },
		{ "1hh", -EINVAL, 0 },
	};

	(void)state;
	expect_all(parse_age, e, ARRAY_SIZE(e));
}

static void milliseconds(void **state)
{
	static const struct expectation e[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1000 },
		{ "0.2", 0, 200 },
		{ "200ms", 0, 200 },
		{ "1.5ms", 0, 1 },
		{ "0.0009", 0, 0 },
		{ "1.5h", 0, 5400000 },
		{ "1h30m", 0, 5400000 },
		{ "2w", 0, 1209600000 },
		{ "0.000000001w", 0, 0 },
		{ "0.99999999999999999999999s", 0, 999 },
		{ "18446744073709551615ms", 0, UINT64_MAX },
		{ "18446744073709551615.9ms", 0, UINT64_MAX },
		{ "18446744073709551616ms", -ERANGE, 0 },
		{ "18446744073709551615", -ERANGE, 0 },
		{ "18446744073709551.616s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "ms", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1us", -EINVAL, 0 },
		{ "1h0.5m", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	(void)state;
	expect_all(parse_milliseconds, e, ARRAY_SIZE(e));
}

static void modes(void **state)
{
	unsigned mode = 1;

	(void)state;
	assert_int_equal(parse_mode(SPAN("0640"), 0777, &mode), 0);
	assert_int_equal(mode, 0640);
	assert_int_equal(parse_mode(SPAN("0"), 0777, &mode), 0);
	assert_int_equal(mode, 0);
	assert_int_equal(parse_mode(SPAN("1000"), 0777, &mode), -ERANGE);
	assert_int_equal(parse_mode(SPAN("888"), 0777, &mode), -EINVAL);
	assert_int_equal(parse_mode(SPAN(""), 0777, &mode), -EINVAL);
	assert_int_equal(parse_mode(SPAN("u+rw"), 0777, &mode), -EINVAL);
	assert_int_equal(parse_mode(SPAN("-600"), 0777, &mode), -EINVAL);
	assert_int_equal(mode, 0);
}

static void hexadecimal(void **state)
{
	static const struct expectation e[] = {
		{ "0", 0, 0 },
		{ "c0ffEE01", 0, 0xc0ffee01 },
		{ "ffffffffffffffff", 0, UINT64_MAX },
		{ "10000000000000000", -ERANGE, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "g", -EINVAL, 0 },
	};

	(void)state;
	expect_all(parse_hex, e, ARRAY_SIZE(e));
}

static void cutting(void **state)
{
	static const char *const refused[] = { "",    "-",   "-1-",
					       "1",   "x-1", "0x1-",
					       " 1-", "1 -", "10000000000000000-" };
	struct span text = exact(SPAN("7f00-ffffffffffffffff rest"));
	struct span rest = text;
	uint64_t u = 0;

	(void)state;
	assert_true(cut_hex(&rest, '-', &u));
	assert_int_equal(u, 0x7f00);
	assert_true(cut_hex(&rest, ' ', &u));
	assert_true(u == UINT64_MAX);
	assert_span(rest, SPAN("rest"));
	free((void *)text.ptr);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		text = rest = exact(span_of(refused[i]));
		assert_false(cut_hex(&rest, '-', &u));
		assert_true(rest.ptr == text.ptr && rest.len == text.len && u == UINT64_MAX);
		free((void *)text.ptr);
	}
}

static void lines(void **state)
{
	struct span text = exact(SPAN("one\n\nthree"));
	struct span rest = text, line;

	(void)state;
	assert_true(next_line(&rest, &line));
	assert_span(line, SPAN("one"));
	assert_true(next_line(&rest, &line));
	assert_span(line, SPAN(""));
	assert_true(next_line(&rest, &line));
	assert_span(line, SPAN("three"));
	assert_false(next_line(&rest, &line));
	free((void *)text.ptr);
}

static void columns(void **state)
{
	struct span text = exact(SPAN("  12\t 18446744073709551615 word -1 "));
	struct span rest = text, word;
	uint64_t u;

	(void)state;
	assert_int_equal(next_u64(&rest, &u), 0);
	assert_int_equal(u, 12);
	assert_int_equal(next_u64(&rest, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_true(next_word(&rest, &word));
	assert_span(word, SPAN("word"));
	assert_int_equal(next_u64(&rest, &u), -EINVAL);
	assert_false(next_word(&rest, &word));
	assert_int_equal(next_u64(&rest, &u), -ENOENT);
	free((void *)text.ptr);
}

static void signals(void **state)
{
	static const struct {
		const char *text;
		int number;
	} good[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "sigterm", SIGTERM },
		{ "Kill", SIGKILL },
		{ "9", 9 },
		{ "1", 1 },
		{ "0x9", 9 },
		{ "IOT", SIGABRT },
		{ "POLL", SIGIO },
		{ "SIG32", 32 },
	};
	static const char *const bad[] = { "",	      "SIG",	"TER",	   "TERMS",    "SIGSIGTERM", "-9",
					   "+9",      " 9",	"9 ",	   "RTMI",     "RTMIN-1",    "RTMIN+",
					   "RTMIN+x", "RTMIN1", "RTMAX+1", "RTMIN+01", "RTMIN+-1" };
	static const char *const beyond[] = { "0",     "65",	   "1000",     "SIG0",
					      "SIG65", "RTMIN+99", "RTMAX-99", "18446744073709551616" };
	int n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct span text = exact(span_of(good[i].text));

		n = -1;
		assert_int_equal(parse_signal(text, &n), 0);
		assert_int_equal(n, good[i].number);
		free((void *)text.ptr);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span text = exact(span_of(bad[i]));

		n = -1;
		if (parse_signal(text, &n) != -EINVAL || n != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		free((void *)text.ptr);
	}
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		assert_int_equal(parse_signal(span_of(beyond[i]), &n), -ERANGE);
	assert_int_equal(parse_signal(SPAN("rtmin+1"), &n), 0);
	assert_int_equal(n, SIGRTMIN + 1);
	assert_int_equal(parse_signal(SPAN("SIGRTMAX-2"), &n), 0);
	assert_int_equal(n, SIGRTMAX - 2);
	assert_int_equal(parse_signal(SPAN("RTMAX"), &n), 0);
	assert_int_equal(n, SIGRTMAX);
}

/* What is shown is taken back; each number has one name, each name a number. */
static void signals_round_trip(void **state)
{
	const char *name;
	int n;

	(void)state;
	for (int i = 1; i <= SIGRTMAX; i++) {
		struct buf b = { 0 };

		signal_name_into(&b, i);
		assert_int_equal(parse_signal(buf_span(&b), &n), 0);
		assert_int_equal(n, i);
		buf_free(&b);
	}
	for (size_t i = 0; (name = signal_name_at(i)) != NULL; i++)
		assert_int_equal(parse_signal(span_of(name), &n), 0);
}

static void signals_of_masks(void **state)
{
	static const struct {
		uint64_t mask;
		const char *names;
	} masks[] = {
		{ 0, "" },
		{ 1, "SIGHUP" },
		{ 1 << 8 | 1 << 14, "SIGKILL SIGTERM" },
		{ 1ULL << 31, "SIG32" },
	};
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		buf_reset(&b);
		signal_names_into(&b, masks[i].mask);
		assert_buf(&b, masks[i].names);
	}
	/* Each bit is one word, the last one too; what stands before is no word of the mask's. */
	buf_reset(&b);
	buf_puts(&b, "x");
	signal_names_into(&b, UINT64_MAX);
	size_t blanks = 0;
	for (size_t i = 0; i < b.len; i++)
		blanks += b.data[i] == ' ';
	assert_int_equal(blanks, 63);
	assert_true(span_starts(buf_span(&b), "xSIGHUP SIGINT "));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(ranges),
		cmocka_unit_test(sizes),
		cmocka_unit_test(ages),
		cmocka_unit_test(milliseconds),
		cmocka_unit_test(modes),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(cutting),
		cmocka_unit_test(lines),
		cmocka_unit_test(columns),
		cmocka_unit_test(signals),
		cmocka_unit_test(signals_round_trip),
		cmocka_unit_test(signals_of_masks),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
