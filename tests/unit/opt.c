/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/opt.h"

struct values {
	bool json, raw;
	const char *output;
	struct opt_u64 size, mode, number, age, bytes;
	struct opt_i64 offset;
	const char *color;
	struct opt_words filters;
};

#define AT(member) offsetof(struct values, member)

static const struct opt table[] = {
	{ .name = "json", .letter = 'J', .type = OPT_FLAG, .offset = AT(json), .help = "as JSON" },
	{ .name = "raw", .letter = 'r', .type = OPT_FLAG, .offset = AT(raw), .help = "raw" },
	{ .name = "output", .letter = 'o', .type = OPT_STRING, .arg = "FIELDS", .offset = AT(output), .help = "f" },
	{ .name = "size", .type = OPT_SIZE, .arg = "SIZE", .offset = AT(size), .help = "size" },
	{ .name = "mode", .type = OPT_MODE, .arg = "MODE", .offset = AT(mode), .help = "mode" },
	{ .name = "number", .letter = 'n', .type = OPT_U64, .arg = "N", .offset = AT(number), .help = "n" },
	{ .name = "age", .type = OPT_AGE, .arg = "AGE", .offset = AT(age), .help = "age" },
	{ .name = "offset", .type = OPT_I64, .arg = "N", .offset = AT(offset), .help = "o" },
	{ .name = "content", .type = OPT_SIZE, .optional = true, .arg = "BYTES", .offset = AT(bytes), .help = "c" },
	{ .name = "color", .type = OPT_STRING, .arg = "WHEN", .choices = "auto|always|never",
	  .offset = AT(color), .help = "colour" },
	{ .name = "filter", .letter = 'f', .type = OPT_WORDS, .arg = "EXPR", .offset = AT(filters), .help = "f" },
};

struct run {
	struct values values;
	struct opt_rest rest;
	int result;
	char message[512];
};

/* Parses words, which end with NULL; keeps what was said. */
static void parse(struct run *run, bool first_word_ends, char **words)
{
	const struct opt_group group = { "Options", table, ARRAY_SIZE(table), &run->values };
	const struct opt_parse p = { .groups = &group, .ngroups = 1, .first_word_ends = first_word_ends, .takes_command = true, .hint = "see help" };
	struct diag d = { .fd = memfd_create("messages", MFD_CLOEXEC) };
	int n = 0;
	ssize_t got;

	memset(run, 0, sizeof(*run));
	while (words[n])
		n++;
	assert_true(d.fd >= 0);
	run->result = opt_parse(&p, n, words, &run->rest, &d);
	got = pread(d.fd, run->message, sizeof(run->message) - 1, 0);
	run->message[got > 0 ? got : 0] = '\0';
	close(d.fd);
}

static void run_free(struct run *run)
{
	opt_rest_free(&run->rest);
	opt_words_free(&run->values.filters);
}

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static void every_spelling(void **state)
{
	struct run r;

	(void)state;
	parse(&r, false, WORDS("--output", "a,b", "one", "-Jr", "--size=4K", "--mode", "0640", "-n7", "--offset",
			       "-5", "--age=1h", "two", "--color=never", "-f", "x=1", "--filter=y=2"));
	assert_int_equal(r.result, 0);
	assert_string_equal(r.values.output, "a,b");
	assert_true(r.values.json && r.values.raw);
	assert_true(r.values.size.set && r.values.size.value == 4096);
	assert_true(r.values.mode.set && r.values.mode.value == 0640);
	assert_true(r.values.number.set && r.values.number.value == 7);
	assert_true(r.values.offset.set && r.values.offset.value == -5);
	assert_true(r.values.age.set && r.values.age.value == 3600);
	assert_string_equal(r.values.color, "never");
	assert_int_equal(r.values.filters.count, 2);
	assert_string_equal(r.values.filters.items[0].arg, "x=1");
	assert_string_equal(r.values.filters.items[1].arg, "y=2");
	assert_int_equal(r.rest.count, 2);
	assert_string_equal(r.rest.words[0], "one");
	assert_string_equal(r.rest.words[1], "two");
	assert_null(r.rest.command);
	assert_string_equal(r.message, "");
	run_free(&r);
}

static void optional_argument(void **state)
{
	struct run r;

	(void)state;
	/* The next word is not taken. */
	parse(&r, false, WORDS("--content", "16"));
	assert_int_equal(r.result, 0);
	assert_true(r.values.bytes.set);
	assert_int_equal(r.values.bytes.value, 0);
	assert_int_equal(r.rest.count, 1);
	run_free(&r);
	parse(&r, false, WORDS("--content=16"));
	assert_int_equal(r.result, 0);
	assert_true(r.values.bytes.set && r.values.bytes.value == 16);
	run_free(&r);
}

static void double_dash_and_first_word(void **state)
{
	struct run r;

	(void)state;
	parse(&r, false, WORDS("a", "--", "--json", "b"));
	assert_int_equal(r.result, 0);
	assert_false(r.values.json);
	assert_int_equal(r.rest.count, 1);
	assert_string_equal(r.rest.command[0], "--json");
	assert_string_equal(r.rest.command[1], "b");
	assert_null(r.rest.command[2]);
	run_free(&r);
	parse(&r, true, WORDS("--json", "list", "--raw"));
	assert_int_equal(r.result, 0);
	assert_true(r.values.json);
	assert_false(r.values.raw);
	assert_int_equal(r.rest.consumed, 1);
	run_free(&r);
	/* A lone dash is a word. */
	parse(&r, false, WORDS("-"));
	assert_int_equal(r.result, 0);
	assert_int_equal(r.rest.count, 1);
	run_free(&r);
}

static void mistakes(void **state)
{
	static const struct {
		const char *word, *said;
	} e[] = {
		{ "--jsno", "did you mean '--json'" },
		{ "--jso", "did you mean '--json'" }, /* no abbreviations */
		{ "--zzzzzz", "--zzzzzz" },
		{ "-Z", "-Z" },
		{ "-JZ", "-Z" },
		{ "--json=1", "takes no argument" },
		{ "--output", "needs an argument" },
		{ "-n", "needs an argument" },
		{ "--size=", "--size" },
		{ "--size=4Q", "4Q" },
		{ "--size=-1", "-1" },
		{ "--size=99999999999999999999", "out of range" },
		{ "--mode=888", "888" },
		{ "--mode=1777", "out of range" },
		{ "--number=0x", "0x" },
		{ "--number=1x", "1x" },
		{ "--offset=--5", "--5" },
		{ "--age=1y", "1y" },
		{ "--color=purple", "auto|always|never" },
		{ "--color=alw", "alw" },
		{ "--color=", "--color" },
		{ "--=x", "--" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		char word[64];
		struct run r;
		char *newline;

		snprintf(word, sizeof(word), "%s", e[i].word);
		parse(&r, false, WORDS(word));
		if (r.result != 2 || !strstr(r.message, e[i].said))
			fail_msg("%s: %d, \"%s\"", e[i].word, r.result, r.message);
		/* One line, and that is all. */
		newline = strchr(r.message, '\n');
		assert_non_null(newline);
		assert_string_equal(newline, "\n");
		run_free(&r);
	}
}

/* What the user typed may hold anything; what is said about it may not. */
static void hostile_words_are_escaped(void **state)
{
	struct run r;

	(void)state;
	parse(&r, false, WORDS("--\x1b[31m\n"));
	assert_int_equal(r.result, 2);
	assert_null(strchr(r.message, '\x1b'));
	assert_non_null(strstr(r.message, "\\x1b[31m\\n"));
	run_free(&r);
}

static void help_lists_every_option(void **state)
{
	const struct opt_group group = { "Options", table, ARRAY_SIZE(table), NULL };
	struct buf b = { 0 };
	const char *text;

	(void)state;
	opt_help(&group, &b);
	text = buf_cstr(&b);
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char name[32];

		snprintf(name, sizeof(name), "--%s", table[i].name);
		assert_non_null(strstr(text, name));
	}
	assert_non_null(strstr(text, "--content[=BYTES]"));
	assert_non_null(strstr(text, "-n, --number N"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling),
		cmocka_unit_test(optional_argument),
		cmocka_unit_test(double_dash_and_first_word),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(hostile_words_are_escaped),
		cmocka_unit_test(help_lists_every_option),
	};

	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
