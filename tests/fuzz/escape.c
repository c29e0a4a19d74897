/* SPDX-License-Identifier: MIT */
/* The escaper: what it shows is harmless and leads back; what it is given to read back is any text. */
#include "lib/escape.h"
#include "fuzz.h"
#include "model/format.h"
#include "shown.h"

/* Text that was read back is written so that it leads to the same again. */
static void check_unescape(struct span text)
{
	struct buf raw = { 0 }, shown = { 0 }, again = { 0 };

	if (unescape_into(&raw, text) == 0) {
		escape_into(&shown, buf_span(&raw));
		EXPECT(unescape_into(&again, buf_span(&shown)) == 0);
		EXPECT(span_eq(buf_span(&again), buf_span(&raw)));
	}
	buf_free(&raw);
	buf_free(&shown);
	buf_free(&again);
}

static void check_width(struct span shown)
{
	size_t width, n, all = display_width(shown);

	for (size_t columns = 0; columns < 12; columns++) {
		n = display_prefix(shown, columns, &width);
		EXPECT(n <= shown.len && width <= columns && width <= all);
		EXPECT(n == shown.len || width + 2 > columns);
		EXPECT(is_shown((struct span){ shown.ptr, n }, ""));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf shown = { 0 }, back = { 0 }, cell = { 0 };
	uint32_t ours, code;

	escape_into(&shown, text);
	EXPECT(!shown.failed && is_shown(buf_span(&shown), ""));
	EXPECT(needs_escape(text) == !span_eq(buf_span(&shown), text));
	EXPECT(unescape_into(&back, buf_span(&shown)) == 0 && span_eq(buf_span(&back), text));
	check_width(buf_span(&shown));
	check_unescape(text);
	format_str(&cell, text);
	EXPECT(cell.len > 0 && !span_is(buf_span(&cell), "-") && !span_is(buf_span(&cell), "?"));
	if (size > 0) {
		size_t n = character_at(text, &ours);

		EXPECT(utf8_decode(text, &code) == n && (n == 0 || code == ours));
	}
	buf_free(&shown);
	buf_free(&back);
	buf_free(&cell);
	return 0;
}
