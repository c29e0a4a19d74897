/* SPDX-License-Identifier: MIT */
/* What check prints of any texts: one bar, which begins performance data, and nothing that imitates a line. */
#include "cmd/checkline.h"
#include "fuzz.h"
#include "shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct check_line line = { .status = CHECK_OK };
	struct threshold t = { 0 };
	struct buf out = { 0 };
	size_t more = 0;

	(void)!threshold_parse(take_text(&in), THRESHOLD_PERCENT, &t);
	while (in.left > 0) {
		enum check_status status = (enum check_status)take_below(&in, CHECK_UNKNOWN);
		unsigned way = take_byte(&in) % 4;
		struct span text = take_text(&in);

		if (way == 0)
			check_text(&line, status, "%.*s", (int)text.len, text.ptr);
		else if (way == 1)
			check_unread(&line, CHECK_UNKNOWN, "%.*s cannot be read", (int)text.len, text.ptr);
		else if (way == 2)
			check_more(&line, status, "%.*s", (int)text.len, text.ptr);
		else
			check_percent(&line, &t, (double)status, "full");
		more += way == 2 && status != CHECK_OK;
	}
	EXPECT(check_print(&line, &out) <= CHECK_UNKNOWN);
	EXPECT(!out.failed && is_shown(buf_span(&out), "\n") && span_starts(buf_span(&out), "IPC "));
	EXPECT(count_bytes(buf_span(&out), '\n') == 1 + more);
	EXPECT(count_bytes(buf_span(&out), '|') == (line.data.len > 0));
	buf_free(&out);
	check_free(&line);
	return 0;
}
