/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "lib/escape.h"

/* Whether text has anything that the one escaper promises away: told apart here
 * by the bytes of UTF-8, not by the program's decoder. */
static void assert_harmless(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.ptr;

	for (size_t i = 0; i < text.len; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f)
			fail_msg("control byte %02x at %zu", p[i], i);
		/* C1 is c2 80 to c2 9f; bidirectional controls e2 80 8e.., e2 80 aa.., e2 81 a6.. */
		if (p[i] == 0xc2 && i + 1 < text.len && p[i + 1] < 0xa0)
			fail_msg("C1 control at %zu", i);
		if (p[i] == 0xe2 && i + 2 < text.len &&
		    ((p[i + 1] == 0x80 && (p[i + 2] >= 0xaa || (p[i + 2] >= 0x8b && p[i + 2] <= 0x8f)) &&
		      p[i + 2] <= 0xae) ||
		     (p[i + 1] == 0x81 && p[i + 2] >= 0xa0 && p[i + 2] <= 0xaf)))
			fail_msg("invisible or bidirectional character at %zu", i);
	}
}

/* Checks that text is well-formed UTF-8 as RFC 3629 draws its table. */
static bool well_formed(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.ptr, *end = p + text.len;

	while (p < end) {
		unsigned char c = *p++, low = 0x80, high = 0xbf;
		int more;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3;
		else
			return false;
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		for (; more > 0; more--, low = 0x80, high = 0xbf)
			if (p == end || *p < low || *p++ > high)
				return false;
	}
	return true;
}

static void round_trip(struct span raw)
{
	struct span in = exact(raw);
	struct buf out = { 0 }, back = { 0 };

	escape_into(&out, in);
	assert_false(out.failed);
	if (!well_formed(buf_span(&out)))
		fail_msg("not UTF-8: %.*s", (int)out.len, out.data);
	assert_harmless(buf_span(&out));
	assert_int_equal(unescape_into(&back, buf_span(&out)), 0);
	if (!span_eq(buf_span(&back), in))
		fail_msg("%.*s does not come back", (int)out.len, out.data);
	/* One-to-one: what is not changed says so, and only that. */
	assert_true(needs_escape(in) == !span_eq(buf_span(&out), in));
	buf_free(&out);
	buf_free(&back);
	free((void *)in.ptr);
}

static void spellings(void **state)
{
	static const struct {
		const char *raw, *escaped;
	} e[] = {
		{ "plain", "plain" },
		{ "a b", "a b" },
		{ "back\\slash", "back\\\\slash" },
		{ "\n\t\r", "\\n\\t\\r" },
		{ "\x01\x1b[31m\x7f", "\\x01\\x1b[31m\\x7f" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xe6\xbc\xa2", "\xe6\xbc\xa2" },
		{ "\xc2\x9b", "\\xc2\\x9b" },			  /* CSI, C1 */
		{ "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb" },	  /* RIGHT-TO-LEFT OVERRIDE */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },		  /* LINE SEPARATOR */
		{ "\xe2\x80\x8b", "\\xe2\\x80\\x8b" },		  /* ZERO WIDTH SPACE */
		{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf" },		  /* BYTE ORDER MARK */
		{ "\xc0\x80", "\\xc0\\x80" },			  /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		  /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },	  /* beyond Unicode */
		{ "\xe6\xbc", "\\xe6\\xbc" },			  /* cut short */
		{ "\\xff", "\\\\xff" },				  /* looks escaped */
		{ "\\n", "\\\\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct buf b = { 0 };

		escape_into(&b, span_of(e[i].raw));
		assert_buf(&b, e[i].escaped);
		buf_free(&b);
	}
}

static void every_byte(void **state)
{
	(void)state;
	round_trip(SPAN(""));
	for (unsigned i = 0; i < 256; i++) {
		char c = (char)i;

		round_trip((struct span){ &c, 1 });
	}
}

static void every_pair(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const char pair[] = { (char)(i >> 8), (char)i };

		round_trip((struct span){ pair, 2 });
	}
}

/* Every character of Unicode, and what is none. */
static void every_character(void **state)
{
	(void)state;
	for (uint32_t c = 0x80; c < 0x110000; c++) {
		char s[4];
		size_t n;

		if (c < 0x800) {
			n = 2;
			s[0] = (char)(0xc0 | c >> 6);
		} else if (c < 0x10000) {
			n = 3;
			s[0] = (char)(0xe0 | c >> 12);
		} else {
			n = 4;
			s[0] = (char)(0xf0 | c >> 18);
		}
		for (size_t i = 1; i < n; i++)
			s[i] = (char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		round_trip((struct span){ s, n });
	}
}

static void random_strings(void **state)
{
	/* Bytes that start, continue and spoil sequences, much oftener than by chance. */
	static const char likely[] = "\\xnrt0aF\n\x7f\xc2\xe2\x80\x81\xa8\xae\xed\xa0\xf0\x90\xf4\xff\xef\xbb\xbf";
	uint64_t seed = 0x9e3779b97f4a7c15u;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		char s[24];
		size_t n = next_random(&seed) % (sizeof(s) + 1);

		for (size_t j = 0; j < n; j++) {
			uint64_t r = next_random(&seed);

			s[j] = r & 1 ? (char)(r >> 8) : likely[(r >> 8) % (sizeof(likely) - 1)];
		}
		round_trip((struct span){ s, n });
	}
}

static void refuses_what_it_never_makes(void **state)
{
	static const char *const bad[] = { "\\", "a\\", "\\q", "\\x", "\\x1", "\\xg0", "\\x0g", "\\0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct span in = exact(span_of(bad[i]));
		struct buf b = { 0 };

		if (unescape_into(&b, in) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
		buf_free(&b);
		free((void *)in.ptr);
	}
}

static void widths(void **state)
{
	static const struct {
		const char *text;
		size_t width;
	} e[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "caf\xc3\xa9", 4 },
		{ "cafe\xcc\x81", 4 },			      /* combining acute */
		{ "\xe6\xbc\xa2\xe5\xad\x97", 4 },	      /* two ideographs */
		{ "\xef\xbc\xa1", 2 },			      /* fullwidth A */
		{ "\xf0\x9f\x98\x80", 2 },		      /* emoji */
		{ "\xed\x95\x9c", 2 },			      /* Hangul */
		{ "\xd0\xb6", 1 },			      /* Cyrillic */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		assert_int_equal(display_width(span_of(e[i].text)), e[i].width);
}

static void prefixes(void **state)
{
	struct span wide = SPAN("a\xe6\xbc\xa2" "b");
	size_t width;

	(void)state;
	assert_int_equal(display_prefix(wide, 0, &width), 0);
	assert_int_equal(width, 0);
	assert_int_equal(display_prefix(wide, 1, &width), 1);
	assert_int_equal(width, 1);
	/* A wide character is not cut in half. */
	assert_int_equal(display_prefix(wide, 2, &width), 1);
	assert_int_equal(width, 1);
	assert_int_equal(display_prefix(wide, 3, &width), 4);
	assert_int_equal(width, 3);
	assert_int_equal(display_prefix(wide, 100, &width), 5);
	assert_int_equal(width, 4);
	/* A combining mark stays with its letter. */
	assert_int_equal(display_prefix(SPAN("e\xcc\x81x"), 1, &width), 3);
	assert_int_equal(width, 1);
}

static void decoding(void **state)
{
	uint32_t code = 0;

	(void)state;
	assert_int_equal(utf8_decode(SPAN("\xe6\xbc\xa2..."), &code), 3);
	assert_int_equal(code, 0x6f22);
	assert_int_equal(utf8_decode(SPAN("\xf4\x8f\xbf\xbf"), &code), 4);
	assert_int_equal(code, 0x10ffff);
	assert_int_equal(utf8_decode(SPAN("\xc1\xbf"), &code), 0);
	assert_int_equal(utf8_decode(SPAN("\xe0\x9f\xbf"), &code), 0);
	assert_int_equal(utf8_decode(SPAN("\xf0\x8f\xbf\xbf"), &code), 0);
	assert_int_equal(utf8_decode(SPAN("\xf5\x80\x80\x80"), &code), 0);
	assert_int_equal(utf8_decode(SPAN("\x80"), &code), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings),	   cmocka_unit_test(every_byte),
		cmocka_unit_test(every_pair),	   cmocka_unit_test(every_character),
		cmocka_unit_test(random_strings),  cmocka_unit_test(refuses_what_it_never_makes),
		cmocka_unit_test(widths),	   cmocka_unit_test(prefixes),
		cmocka_unit_test(decoding),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
