/* SPDX-License-Identifier: MIT */
/* Words that are numbers, sizes, ages, modes or signals. */
#include "fuzz.h"
#include "lib/parse.h"
#include "lib/signals.h"

#define UNTOUCHED 0x5eed5eed5eed5eedu

static bool all_of(struct span s, const char *digits)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || !strchr(digits, s.ptr[i]))
			return false;
	return s.len > 0;
}

/* What strtoull(3) says of words that we take, too. */
static int judge(struct span s, uint64_t *out)
{
	bool hex = span_starts(s, "0x") || span_starts(s, "0X");
	char *text = copy_bytes(s, true);
	int r = -EINVAL;

	if (all_of(hex ? span_from(s, 2) : s, hex ? "0123456789abcdefABCDEF" : "0123456789")) {
		errno = 0;
		*out = strtoull(text, NULL, hex ? 16 : 10);
		r = -errno;
	}
	free(text);
	return r;
}

static void check_whole(struct span s)
{
	uint64_t v = UNTOUCHED, judged = 0;
	int64_t i = -1;
	int r = judge(s, &judged);

	EXPECT(parse_u64(s, &v) == r && v == (r == 0 ? judged : UNTOUCHED));
	v = UNTOUCHED;
	EXPECT((parse_u64_in(s, 10, 1000, &v) == 0) == (r == 0 && judged >= 10 && judged <= 1000));
	if (r == 0)
		EXPECT((parse_i64(s, &i) == 0) == (judged <= INT64_MAX));
	if (s.len > 0 && s.ptr[0] == '-' && parse_i64(s, &i) == 0)
		EXPECT(judge(span_from(s, 1), &judged) == 0 && (uint64_t)i == 0 - judged && i <= 0);
}

static void check_units(struct span s)
{
	uint64_t size = UNTOUCHED, seconds = UNTOUCHED, milliseconds = UNTOUCHED, plain;
	unsigned mode = 0x5eed;
	int r;

	r = parse_size(s, &size);
	EXPECT(r == 0 || ((r == -EINVAL || r == -ERANGE) && size == UNTOUCHED));
	r = parse_age(s, &seconds);
	EXPECT(r == 0 || ((r == -EINVAL || r == -ERANGE) && seconds == UNTOUCHED));
	if (r == 0 && seconds <= UINT64_MAX / 1000)
		EXPECT(parse_milliseconds(s, &milliseconds) == 0 && milliseconds == seconds * 1000);
	milliseconds = UNTOUCHED;
	r = parse_milliseconds(s, &milliseconds);
	EXPECT(r == 0 || ((r == -EINVAL || r == -ERANGE) && milliseconds == UNTOUCHED));
	if (all_of(s, "0123456789") && parse_u64(s, &plain) == 0)
		EXPECT(size == plain && seconds == plain);
	r = parse_mode(s, 07777, &mode);
	EXPECT(r == 0 ? mode <= 07777 && all_of(s, "01234567") : mode == 0x5eed);
}

static void check_signal(struct span s)
{
	struct buf name = { 0 };
	int number = -1, again = -1;
	int r = parse_signal(s, &number);

	EXPECT(r == 0 ? number >= 1 && number <= SIGRTMAX : number == -1);
	if (r == 0) {
		signal_name_into(&name, number);
		EXPECT(parse_signal(buf_span(&name), &again) == 0 && again == number);
	}
	buf_free(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = { (const char *)data, size };

	check_whole(s);
	check_units(s);
	check_signal(s);
	return 0;
}
