/* SPDX-License-Identifier: MIT */
/* Tables, and all of one object for people: what reaches the terminal is harmless whatever the records hold.
 */
#include "fuzz.h"
#include "rendering.h"
#include "shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool detail = take_bool(&in);
	struct buf plain = { 0 };
	struct rendering x;
	struct span text;

	take_rendering(&in, &x, detail ? &render_detail : &render_table);
	text = render(&x);
	if (x.renderer.options.color)
		strip_colors(text, &plain);
	else
		buf_put_span(&plain, text);
	EXPECT(!plain.failed && is_shown(buf_span(&plain), "\n"));
	if (!detail)
		EXPECT(count_bytes(buf_span(&plain), '\n') == x.count + x.renderer.options.headings);
	buf_free(&plain);
	rendering_free(&x);
	return 0;
}
