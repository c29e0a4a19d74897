/* SPDX-License-Identifier: MIT */
/* buf, arena, hash and suggest. */
#include "unit.h"

#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/suggest.h"

static void buffer_grows(void **state)
{
	struct buf b = { 0 };
	struct span s;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_reset(&b);
	buf_puts(&b, "x=");
	buf_u64(&b, UINT64_MAX);
	buf_putc(&b, ' ');
	buf_i64(&b, INT64_MIN);
	buf_putc(&b, ' ');
	buf_fill(&b, '.', 3);
	buf_printf(&b, "%s-%d", "y", 7);
	buf_put_span(&b, SPAN("z"));
	s = buf_span(&b);
	assert_span(s, SPAN("x=18446744073709551615 -9223372036854775808 ...y-7z"));
	assert_string_equal(buf_cstr(&b), "x=18446744073709551615 -9223372036854775808 ...y-7z");
	assert_int_equal(buf_span(&b).len, s.len);
	buf_free(&b);
	assert_int_equal(b.len, 0);
}

static void buffer_long_format(void **state)
{
	char text[5000];
	struct buf b = { 0 };

	(void)state;
	memset(text, 'q', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	buf_printf(&b, "<%s>", text);
	assert_int_equal(b.len, sizeof(text) + 1);
	assert_int_equal(b.data[b.len - 1], '>');
	buf_free(&b);
}

static void buffer_remembers_failure(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, "before");
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_true(b.failed);
	buf_puts(&b, "after");
	assert_null(buf_cstr(&b));
	assert_true(b.failed);
	buf_free(&b);
}

static void decimal_digits(void **state)
{
	static const uint64_t numbers[] = { 0,	 1,	9,	   10,	     99,
					    100, 12345, 999999999, UINT32_MAX, 18446744073692774399u, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		char got[20], expected[32];
		size_t n = format_u64(got, numbers[i]);

		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
		assert_span((struct span){ got, n }, span_of(expected));
	}
}

static void arena_gives_aligned_memory(void **state)
{
	struct arena a = { 0 };
	char *blocks[300];
	size_t total;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
			blocks[i] = arena_alloc(&a, i * 37 + 1);
			assert_non_null(blocks[i]);
			assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
			memset(blocks[i], (int)i, i * 37 + 1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
			for (size_t j = 0; j < i * 37 + 1; j++)
				assert_int_equal((unsigned char)blocks[i][j], i & 255);
		if (round == 0)
			total = a.total;
		/* The second round is served from the memory of the first. */
		assert_int_equal(a.total, total);
		arena_reset(&a);
	}
	arena_free(&a);
}

static void arena_clears_and_copies(void **state)
{
	struct arena a = { 0 };
	char *dirty = arena_alloc(&a, 4096);
	struct span s;
	char *clear;

	(void)state;
	memset(dirty, 0xff, 4096);
	arena_reset(&a);
	clear = arena_calloc(&a, 64, 64);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(clear[i], 0);
	assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
	s = arena_span(&a, SPAN("a\0b"));
	assert_span(s, SPAN("a\0b"));
	assert_int_equal(s.ptr[s.len], '\0');
	s = arena_span(&a, SPAN(""));
	assert_non_null(s.ptr);
	assert_int_equal(s.len, 0);
	s = arena_printf(&a, "%d-%s", 42, "x");
	assert_span(s, SPAN("42-x"));
	arena_free(&a);
}

static void hash_finds_all_in_order(void **state)
{
	struct hash h = { 0 };
	const struct hash_slot *slot;

	(void)state;
	assert_null(hash_find(&h, 1, NULL));
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(hash_add(&h, i * 0x10000ull, i), 0);
	/* Keys that come again keep the order of adding, growth or not. */
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(hash_add(&h, 42, 1000 + i), 0);
	for (uint32_t i = 20000; i < 40000; i++)
		assert_int_equal(hash_add(&h, i * 0x10000ull, i), 0);
	for (uint32_t i = 0; i < 40000; i++) {
		slot = hash_find(&h, i * 0x10000ull, NULL);
		assert_non_null(slot);
		assert_int_equal(slot->value, i);
		assert_null(hash_find(&h, i * 0x10000ull, slot));
	}
	slot = NULL;
	for (uint32_t i = 0; i < 5; i++) {
		slot = hash_find(&h, 42, slot);
		assert_non_null(slot);
		assert_int_equal(slot->value, 1000 + i);
	}
	assert_null(hash_find(&h, 42, slot));
	assert_null(hash_find(&h, 43, NULL));
	hash_free(&h);
	assert_null(hash_find(&h, 42, NULL));
}

/* Duplicates of many keys through many sizes of the table: order always holds. */
static void hash_keeps_order_through_growth(void **state)
{
	(void)state;
	for (uint64_t stride = 1; stride < 2000; stride = stride * 3 + 1) {
		struct hash h = { 0 };

		for (uint32_t i = 0; i < 3000; i++)
			assert_int_equal(hash_add(&h, i % 7 * stride, i), 0);
		for (uint32_t key = 0; key < 7; key++) {
			const struct hash_slot *slot = NULL;

			for (uint32_t i = key; i < 3000; i += 7) {
				slot = hash_find(&h, key * stride, slot);
				assert_non_null(slot);
				assert_int_equal(slot->value, i);
			}
			assert_null(hash_find(&h, key * stride, slot));
		}
		hash_free(&h);
	}
}

static void digests_differ(void **state)
{
	(void)state;
	assert_true(hash_bytes(SPAN("abc")) == hash_bytes(SPAN("abc")));
	assert_true(hash_bytes(SPAN("abc")) != hash_bytes(SPAN("abd")));
	assert_true(hash_bytes(SPAN("a")) != hash_bytes(SPAN("a\0")));
	assert_true(hash_bytes(SPAN("")) != hash_bytes(SPAN("\0")));
}

static const char *best(const char *word, const char *const *candidates)
{
	struct suggest s = { 0 };

	for (; *candidates; candidates++)
		suggest_offer(&s, word, *candidates);
	return s.best;
}

static void suggestions(void **state)
{
	static const char *const commands[] = { "list", "describe", "create", "remove", "limits", "summary", NULL };

	(void)state;
	assert_string_equal(best("lsit", commands), "list");
	assert_string_equal(best("lst", commands), "list");
	assert_string_equal(best("remvoe", commands), "remove");
	assert_string_equal(best("summery", commands), "summary");
	assert_string_equal(best("desc", commands), "describe");
	assert_null(best("xyzzy", commands));
	assert_null(best("", commands));
	/* Longer than any word of ours: no suggestion, and no overrun. */
	assert_null(best("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", commands));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_grows),
		cmocka_unit_test(buffer_long_format),
		cmocka_unit_test(buffer_remembers_failure),
		cmocka_unit_test(decimal_digits),
		cmocka_unit_test(arena_gives_aligned_memory),
		cmocka_unit_test(arena_clears_and_copies),
		cmocka_unit_test(hash_finds_all_in_order),
		cmocka_unit_test(hash_keeps_order_through_growth),
		cmocka_unit_test(digests_differ),
		cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
