/* SPDX-License-Identifier: MIT */
/* Filters, over tables and records of any sort. */
#include "fuzz.h"
#include "model/filter.h"
#include "records.h"

/*
 * libc's own compiler and matcher of regular expressions take any time and memory for some that are short:
 * what a user does so is done to the user alone, and is not ours to find.
 */
static bool is_cheap(const char *text)
{
	size_t repeats = 0;

	if (!strchr(text, '~'))
		return true;
	for (const char *p = text; *p; p++)
		repeats += *p == '*' || *p == '+' || *p == '?' || *p == '(';
	return repeats <= 4 && !strpbrk(text, "{\\") && strlen(text) < 80;
}

static enum match match(const char *text, const struct schema *const *schemas, const struct record *r)
{
	struct filters f = { 0 };
	struct field_error error = { 0 };
	enum match m = MATCH_UNKNOWN;
	int e = filters_add(&f, text, schemas, 1, &error);

	EXPECT(e == 0 || e == -EINVAL);
	EXPECT(e == 0 ? f.count == 1 : f.count == 0);
	if (e == 0) {
		EXPECT((filters_fields(&f, *schemas).bits & ~schema_set(*schemas, 0).bits) == 0);
		m = filters_match(&f, r);
	} else {
		EXPECT(is_within(error.word, span_of(text)));
	}
	filters_free(&f);
	return m;
}

/* What passes = does not pass !=, and the other way round. */
static void check_opposite(const char *text, const struct schema *const *schemas, const struct record *r,
			   enum match m)
{
	size_t n = strcspn(text, "=<>~!");
	char *opposite = malloc(strlen(text) + 2);

	EXPECT(opposite);
	if (text[n] == '=' && m != MATCH_UNKNOWN) {
		sprintf(opposite, "%.*s!%s", (int)n, text, text + n);
		EXPECT(match(opposite, schemas, r) == (m == MATCH_YES ? MATCH_NO : MATCH_YES) ||
		       r->values[schema_find(*schemas, (struct span){ text, n })].state != VALUE_SET);
	}
	free(opposite);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct arena arena = { 0 };
	const struct schema *schema = take_schema(&in, &arena, true);
	struct record r;
	char *text;

	take_record(&in, &r, schema, &arena);
	text = copy_string(take_rest(&in));
	if (is_cheap(text))
		check_opposite(text, &schema, &r, match(text, &schema, &r));
	free(text);
	arena_free(&arena);
	return 0;
}
