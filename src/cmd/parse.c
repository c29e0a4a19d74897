/* SPDX-License-Identifier: MIT */
/* Command lines: options into c->options, help on request. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "cmd/options.h"
#include "lib/parse.h"

bool user_agrees(struct context *c, const char *question)
{
	char answer[16];

	if (out_flush(&c->out) < 0)
		return false;
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

int out_of_memory(struct context *c)
{
	diag_error(&c->diag, "out of memory");
	return EXIT_FAILED;
}

void command_print_help(const struct command *command, struct buf *b)
{
	struct options unused;
	struct option_groups g;

	buf_printf(b, "Usage: ipcctl %s [OPTION...]%s%s\n\n%s.\n", command->name,
		   command->arguments[0] ? " " : "", command->arguments, command->summary);
	if (command->aliases) {
		buf_puts(b, "Also:");
		for (const char *const *alias = command->aliases; *alias; alias++)
			buf_printf(b, " ipcctl %s%s", *alias, alias[1] ? "," : "\n");
	}
	if (command->text)
		buf_printf(b, "\n%s", command->text);
	if (option_groups_init(&g, command->options, &unused) < 0)
		b->failed = true;
	for (size_t i = 0; i < g.count; i++)
		opt_help(&g.groups[i], b);
	option_groups_free(&g);
}

static size_t terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t v;

	if (columns && parse_u64_in(span_of(columns), 1, 10000, &v) == 0)
		return (size_t)v;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static void look_at_terminal(struct context *c)
{
	const char *when = c->options.color, *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	c->terminal = isatty(STDOUT_FILENO) == 1;
	c->width = c->terminal ? terminal_width() : 0;
	if (when && strcmp(when, "always") == 0)
		c->color = true;
	else if (!when || strcmp(when, "auto") == 0)
		c->color = c->terminal && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

/* -N. -1 to go on, or the exit status. */
static int take_places(struct context *c)
{
	const struct opt_words *words = &c->options.ipcns;
	uint64_t number;

	c->scan.places = calloc(words->count + 1, sizeof(*c->scan.places));
	if (!c->scan.places)
		return out_of_memory(c);
	/* What is not in the files of a proc file system follows whoever asks, not the file system. */
	if (words->count == 0 && c->options.procfs && !c->scan.recorded) {
		c->scan.places[c->scan.nplaces++] = "1";
		c->scan.implied = true;
	}
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i].arg;

		if (strcmp(word, "all") != 0 && !strchr(word, '/') &&
		    parse_u64_in(span_of(word), 1, UINT32_MAX, &number) < 0)
			return diag_usage(
				&c->diag,
				"option '--ipcns': '%s' is no PID, number of a namespace, path, or 'all'",
				word);
		c->scan.places[c->scan.nplaces++] = word;
	}
	return -1;
}

int command_ready(struct context *c, bool executes)
{
	int r;

	c->diag.quiet = c->options.quiet;
	r = executes ? -1 : give_up_rights(c);
	if (r >= 0)
		return r;
	/* It tells that somebody wants a file on which a lease is held for a moment. */
	if (c->options.prove)
		signal(SIGIO, SIG_IGN);
	look_at_terminal(c);
	if (c->options.version) {
		buf_puts(out_buf(&c->out), "ipcctl " IPCCTL_VERSION "\n");
		return EXIT_DONE;
	}
	r = scan_context_open(&c->scan, c->options.procfs);
	/* Much can be done without /proc; the scan says what could not. */
	if (r < 0 && c->options.procfs) {
		diag_error(&c->diag, "--procfs %s: %s", c->options.procfs,
			   r == -ENOTDIR ? "no proc file system" : error_text(r));
		return EXIT_FAILED;
	}
	return take_places(c);
}

int parse_with(struct context *c, const struct opt_parse *p, int argc, char **argv, struct opt_rest *rest,
	       void (*help)(const void *about, struct buf *b), const void *about)
{
	int r = opt_parse(p, argc, argv, rest, &c->diag);

	if (r == -ENOMEM)
		return out_of_memory(c);
	if (r != 0)
		return r;
	if (c->options.help) {
		help(about, out_buf(&c->out));
		return EXIT_DONE;
	}
	/* COMMAND is to have what the invoker has; this process but makes the object, and waits. */
	return command_ready(c, rest->command != NULL);
}

static void help_command(const void *about, struct buf *b)
{
	command_print_help(about, b);
}

int command_parse(struct context *c, const struct command *command, int argc, char **argv,
		  struct opt_rest *rest)
{
	struct option_groups g;
	char hint[64];
	int status;

	*rest = (struct opt_rest){ 0 };
	if (option_groups_init(&g, command->options, &c->options) < 0)
		return out_of_memory(c);
	snprintf(hint, sizeof(hint), "'ipcctl help %s' lists them", command->name);
	status = parse_with(c, &(struct opt_parse){ .groups = g.groups, .ngroups = g.count, .hint = hint },
			    argc, argv, rest, help_command, command);
	option_groups_free(&g);
	return status;
}

int refuse_words(struct context *c, const struct command *command, const struct opt_rest *rest)
{
	if (rest->count > 0)
		return diag_usage(&c->diag, "%s takes no argument, but '%s' was given", command->name,
				  rest->words[0]);
	return -1;
}
