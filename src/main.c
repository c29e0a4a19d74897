/* SPDX-License-Identifier: MIT */
/* Global options, dispatch, and the check of standard output at the end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "cmd/help.h"
#include "cmd/options.h"
#include "cmd/registry.h"

/* An object must never be opened as standard output: 0 to 2 are taken first. */
static int occupy_standard_descriptors(void)
{
	/* What is written to a standard output that was closed must fail. */
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return -1;
	return 0;
}

/*
 * Finds the word that names the command, behind options that may stand before it; at
 * is argc if there is none. -1 to go on, or the exit status; what is wrong goes to diag.
 */
static int find_command(struct context *c, struct diag *diag, int argc, char **argv, int *at, bool *help)
{
	struct options options = { 0 };
	struct option_groups g;
	struct opt_rest rest = { 0 };
	int r;

	if (option_groups_init(&g, OPTIONS_LEADING, &options) < 0)
		return out_of_memory(c);
	r = opt_parse(&(struct opt_parse){ .groups = g.groups,
					   .ngroups = g.count,
					   .first_word_ends = true,
					   .hint = "'ipcctl help' lists them" },
		      argc, argv, &rest, diag);
	*at = (int)rest.consumed;
	*help = options.help;
	opt_rest_free(&rest);
	options_free(&options);
	option_groups_free(&g);
	return r == -ENOMEM ? out_of_memory(c) : r == 0 ? -1 : r;
}

/* Runs a command with what stands before and behind its name: it takes or refuses
 * its options wherever they are. */
static int run_command(struct context *c, const struct command *command, int argc, char **argv, int at)
{
	memmove(argv + at, argv + at + 1, (size_t)(argc - at) * sizeof(*argv));
	c->command = command;
	return command->run(c, argc - 1, argv);
}

/*
 * Behind options that no command takes: the first word that names a command. It refuses them in its own way, as
 * it does behind its name: `check` with the exit status that monitoring systems know. at is argc if there is none.
 */
static void find_named(int argc, char **argv, int *at)
{
	*at = 0;
	while (*at < argc && !command_find(argv[*at]))
		++*at;
}

static int dispatch(struct context *c, int argc, char **argv)
{
	struct diag silent = { .fd = -1 };
	const struct command *command;
	int at = 0, status;
	bool help = false;

	status = find_command(c, &silent, argc, argv, &at, &help);
	if (status == EXIT_USAGE) {
		find_named(argc, argv, &at);
		status = at < argc ? -1 : find_command(c, &c->diag, argc, argv, &at, &help);
	}
	if (status >= 0)
		return status;
	if (at < argc) {
		command = command_find(argv[at]);
		return command ? run_command(c, command, argc, argv, at) : unknown_command(c, argv[at]);
	}
	if (help) {
		print_overview(out_buf(&c->out));
		return EXIT_DONE;
	}
	c->command = &command_summary;
	return command_summary.run(c, argc, argv);
}

int main(int argc, char **argv)
{
	struct context c = { .diag = { .fd = STDERR_FILENO }, .scan = { .proc = -1 } };
	int status, error;

	c.started = nanoseconds(CLOCK_MONOTONIC);
	if (occupy_standard_descriptors() < 0)
		return EXIT_FAILED;
	/* A closed pipe is a failed write like any other: reported, never silent. */
	c.sigpipe = signal(SIGPIPE, SIG_IGN);
	out_init(&c.out, STDOUT_FILENO);
	status = dispatch(&c, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
	scan_context_close(&c.scan);
	options_free(&c.options);
	error = out_finish(&c.out);
	if (error < 0) {
		diag_error(&c.diag, "standard output: %s", error_text(error));
		return c.command && c.command->failed ? c.command->failed : EXIT_FAILED;
	}
	return status;
}
