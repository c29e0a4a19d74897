/* SPDX-License-Identifier: MIT */
/* Files a line at a time. */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/file.h"

static int file_of(const struct buf *text)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text->data, text->len), text->len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Reads all lines; those that are expected end with NULL. */
static void check(struct buf *text, const char *const *expected)
{
	struct line_reader reader = { .fd = file_of(text) };
	struct span line;

	for (; *expected; expected++) {
		assert_int_equal(line_reader_next(&reader, &line), 1);
		assert_span(line, span_of(*expected));
	}
	assert_int_equal(line_reader_next(&reader, &line), 0);
	close(reader.fd);
	line_reader_free(&reader);
	buf_free(text);
}

static void nothing(void **state)
{
	static const char *const none[] = { NULL };
	struct buf text = { 0 };

	(void)state;
	check(&text, none);
}

static void ends(void **state)
{
	static const char *const with[] = { "a", "", "b", NULL };
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "a\n\nb\n");
	check(&text, with);
	buf_puts(&text, "a\n\nb");
	check(&text, with);
}

/* One that is longer than two pieces of the file is passed over, and no other. */
static void too_long(void **state)
{
	static const char *const others[] = { "before", "behind", NULL };
	struct buf text = { 0 };

	(void)state;
	buf_puts(&text, "before\n");
	buf_fill(&text, 'x', 300000);
	buf_puts(&text, "\nbehind\n");
	check(&text, others);
	buf_puts(&text, "before\nbehind\n");
	buf_fill(&text, 'x', 300000);
	check(&text, others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(ends),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
