/* SPDX-License-Identifier: MIT */
/* A file a line at a time is what it is in one piece, however it comes; but for lines that are too long. */
#include "fuzz.h"
#include "lib/file.h"
#include "lib/parse.h"
#include "tree.h"

#define LONGEST ((size_t)64 << 10)

/* Repeats pieces, so that short inputs make long lines. */
static void build(struct input *in, struct buf *text)
{
	while (in->left > 0 && text->len < 8 * LONGEST) {
		size_t times = (size_t)1 << take_below(in, 14);
		struct span piece = take_text(in);

		for (; times > 0 && text->len < 8 * LONGEST; times--)
			buf_put_span(text, piece);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct input in = { data, size };
	struct buf text = { 0 }, whole = { 0 };
	struct line_reader reader = { 0 };
	struct span rest, line, expected;
	int r, fd;

	if (tree.dir < 0)
		tree_open(&tree);
	build(&in, &text);
	tree_put(&tree, "text", buf_span(&text));
	EXPECT(read_file_at(tree.dir, "text", &whole) == 0 && span_eq(buf_span(&whole), buf_span(&text)));
	fd = openat(tree.dir, "text", O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	reader.fd = fd;
	rest = buf_span(&text);
	while ((r = line_reader_next(&reader, &line)) > 0) {
		/* Some that it skips are shorter than two chunks; none is shorter than one. */
		do
			EXPECT(next_line(&rest, &expected));
		while (expected.len > LONGEST && !span_eq(line, expected));
		EXPECT(span_eq(line, expected));
	}
	EXPECT(r == 0);
	while (next_line(&rest, &expected))
		EXPECT(expected.len > LONGEST);
	line_reader_free(&reader);
	buf_free(&text);
	buf_free(&whole);
	close(fd);
	return 0;
}
