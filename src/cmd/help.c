/* SPDX-License-Identifier: MIT */
#include "cmd/help.h"

#include "cmd/options.h"
#include "cmd/registry.h"

void print_overview(struct buf *b)
{
	struct options unused;
	struct option_groups g;

	buf_puts(b, "Usage: ipcctl [OPTION...] COMMAND [ARGUMENT...]\n\n"
		    "List, describe, create and remove the objects of inter-process communication.\n"
		    "\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++) {
		size_t start = b->len;

		if ((*c)->hidden)
			continue;
		buf_printf(b, "  %s", (*c)->name);
		for (const char *const *alias = (*c)->aliases; alias && *alias; alias++)
			buf_printf(b, ", %s", *alias);
		if ((*c)->arguments[0])
			buf_printf(b, " %s", (*c)->arguments);
		buf_fill(b, ' ', b->len - start < 30 ? 30 - (b->len - start) : 1);
		buf_printf(b, "%s\n", (*c)->summary);
	}
	if (option_groups_init(&g, OPTIONS_GLOBAL | OPTIONS_OUTPUT, &unused) < 0)
		b->failed = true;
	for (size_t i = 0; i < g.count; i++)
		opt_help(&g.groups[i], b);
	option_groups_free(&g);
	buf_puts(b, "\n'ipcctl help COMMAND' and ipcctl(1) say more.\n");
}

static int run(struct context *c, int argc, char **argv)
{
	struct opt_rest rest;
	int status = command_parse(c, &command_help, argc, argv, &rest);

	if (status < 0 && rest.count > 1)
		status =
			diag_usage(&c->diag, "help takes one command, but '%s' was given too", rest.words[1]);
	if (status < 0 && rest.count == 1) {
		const struct command *about = command_find(rest.words[0]);

		if (about) {
			command_print_help(about, out_buf(&c->out));
			status = EXIT_DONE;
		} else {
			status = unknown_command(c, rest.words[0]);
		}
	}
	if (status < 0) {
		print_overview(out_buf(&c->out));
		status = EXIT_DONE;
	}
	opt_rest_free(&rest);
	return status;
}

int unknown_command(struct context *c, const char *word)
{
	const char *near = command_suggest(word);

	if (near)
		return diag_usage(&c->diag, "no command is called '%s'; did you mean '%s'?", word, near);
	return diag_usage(&c->diag, "no command is called '%s'; 'ipcctl help' lists them", word);
}

const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "Show the commands, or all of one command",
	.options = OPTIONS_GLOBAL,
	.capabilities = RIGHTS_NONE,
	.words = COMPLETE_COMMAND,
	.run = run,
};
