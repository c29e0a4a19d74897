/* SPDX-License-Identifier: MIT */
/* Command lines of every command, and of create for every kind. */
#include "cmd/options.h"
#include "cmd/registry.h"
#include "fuzz.h"
#include "kind/registry.h"
#include "said.h"

#define MOST_WORDS 16

struct line {
	char *words[MOST_WORDS + 1];
	int count;
};

/* A word a line, each in memory of its own. */
static void take_line(struct input *in, struct line *line)
{
	struct span rest = take_rest(in);

	line->count = 0;
	while (line->count < MOST_WORDS) {
		const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
		size_t n = end ? (size_t)(end - rest.ptr) : rest.len;

		line->words[line->count++] = copy_string((struct span){ rest.ptr, n });
		if (!end)
			break;
		rest = span_from(rest, n + 1);
	}
	line->words[line->count] = NULL;
}

static void parse(const struct opt_group *groups, size_t ngroups, struct line *line, bool command)
{
	struct diag diag = said_begin();
	struct opt_parse p = { groups, ngroups, .takes_command = command, .hint = "help lists them" };
	struct opt_rest rest;
	int r = opt_parse(&p, line->count, line->words, &rest, &diag);

	EXPECT(r == 0 || r == 2);
	said_check(&diag, r == 2, r == 2);
	if (r == 0) {
		EXPECT(rest.count <= (size_t)line->count && rest.consumed <= (size_t)line->count);
		EXPECT(!rest.command ||
		       (command && rest.command > line->words && rest.command <= line->words + line->count));
	}
	opt_rest_free(&rest);
}

static void parse_command(const struct command *command, struct line *line)
{
	struct options options = { 0 };
	struct option_groups g;

	EXPECT(option_groups_init(&g, command->options, &options) == 0);
	parse(g.groups, g.count, line, false);
	option_groups_free(&g);
	options_free(&options);
}

static void parse_create(const struct kind *k, struct line *line)
{
	struct create_args args = { 0 };
	struct opt_group group = { "create", k->create_opts, k->ncreate_opts, &args };

	parse(&group, 1, line, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t chosen = take_byte(&in), ncommands = 0, nkinds = 0;
	struct line line;

	while (commands[ncommands])
		ncommands++;
	while (kinds[nkinds])
		nkinds++;
	chosen %= ncommands + nkinds;
	take_line(&in, &line);
	if (chosen < ncommands)
		parse_command(commands[chosen], &line);
	else
		parse_create(kinds[chosen - ncommands], &line);
	for (int i = 0; i < line.count; i++)
		free(line.words[i]);
	return 0;
}
