/* SPDX-License-Identifier: MIT */
/*
 * Adding a command: write src/cmd/NAME.c with one `const struct command
 * command_NAME`, add one line to the list in src/cmd/registry.h, and write
 * man/ipcctl-NAME.1. Parsing, --help and completion follow from its tables.
 *
 * Commands know records and fields; they contain no names of kinds.
 */
#pragma once

#include "cmd/rights.h"
#include "lib/diag.h"
#include "lib/opt.h"
#include "lib/out.h"
#include "scan/scan.h"

/* Exit statuses. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* something asked for was not found, refused or failed */
	EXIT_USAGE = 2,
};

/* Options that mean the same wherever they occur. */
struct options {
	bool help, version;
	/* output */
	bool json, jsonl, raw, null, noheadings, bytes, no_truncate;
	const char *output; /* fields */
	const char *color;
	bool quiet, verbose;
	/* selection */
	struct opt_words filters;
	const char *sort;
	const char *user;
	bool no_holders, strict, status, prove;
	struct opt_u64 pid, threads;
	struct opt_words kinds; /* -m -q -s -M -Q -S */
	struct opt_words paths; /* directories */
	/* describe */
	struct opt_u64 content;
	bool attach, queue;
	/* remove */
	struct opt_words targets; /* -m ID, -M KEY, ... */
	bool all, dry_run, yes, missing_ok;
	struct opt_words kill; /* the last one's argument holds; NULL: the usual signal */
	/* waits */
	bool deadlocks;
	/* clean */
	bool remove, idle, stale, with_messages;
	struct opt_u64 older_than, max;
	const char *name;
	/* metrics */
	const char *textfile;
	struct opt_words per_object;
	/* check */
	const char *check_limits, *check_orphans, *check_orphan_bytes, *check_queue_fill, *check_blocked;
	const char *incomplete;
	struct opt_u64 timeout; /* seconds */
	/* graph */
	const char *format;
	bool group;
	struct opt_u64 depth;
	/* watch */
	struct opt_u64 interval, duration, count; /* milliseconds; events */
	bool initial, table;
	/* kinds */
	bool json_schema;
	const char *procfs;
	struct opt_words ipcns; /* PID, number of a namespace, path, or "all" */
};

/* Everything a command works with. */
struct context {
	struct options options;
	struct out out;
	struct diag diag;
	const struct command *command; /* that is run */
	struct scan_context scan;
	void (*sigpipe)(int); /* what SIGPIPE did before; a program that is run gets it back */
	uint64_t started;     /* nanoseconds of CLOCK_MONOTONIC, when the program began */
	bool terminal;	      /* standard output is one */
	size_t width;	      /* its columns, or 0 */
	bool color;	      /* colours are wanted */
};

/* The groups of options that a command can take. */
enum option_set {
	OPTIONS_GLOBAL = 1 << 0, /* every command */
	OPTIONS_OUTPUT = 1 << 1,
	OPTIONS_SELECT = 1 << 2,  /* filters, order */
	OPTIONS_LETTERS = 1 << 3, /* -m -q -s -M -Q -S choose kinds */
	OPTIONS_DEPTH = 1 << 4,	  /* --status */
	OPTIONS_DESCRIBE = 1 << 5,
	OPTIONS_TARGETS = 1 << 6, /* -m ID ... as in ipcrm */
	OPTIONS_REMOVE = 1 << 7,
	OPTIONS_KINDS = 1 << 9,
	OPTIONS_OWNER = 1 << 10,     /* --user */
	OPTIONS_PROCESSES = 1 << 11, /* --no-holders */
	OPTIONS_PROCFS = 1 << 12,    /* --procfs */
	OPTIONS_PATHS = 1 << 13,     /* --path */
	OPTIONS_WAITS = 1 << 14,     /* --deadlocks */
	OPTIONS_CLEAN = 1 << 15,     /* --remove, --idle ... */
	OPTIONS_METRICS = 1 << 16,   /* --textfile ... */
	OPTIONS_CHECK = 1 << 17,     /* --limits ... */
	OPTIONS_PROVE = 1 << 18,     /* --prove alone */
	OPTIONS_GRAPH = 1 << 19,     /* --format, --depth ... */
	OPTIONS_WATCH = 1 << 20,     /* --interval, --count ... */
	OPTIONS_PLACES = 1 << 21,    /* --ipcns */
	/* What may stand before the command. */
	OPTIONS_LEADING =
		OPTIONS_GLOBAL | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_OWNER | OPTIONS_PROCESSES,
};

struct command {
	const char *name;
	const char *const *aliases; /* NULL-terminated, or NULL */
	const char *arguments;	    /* "[KIND...]" */
	const char *summary;	    /* one line */
	const char *text;	    /* what --help says beyond the options, or NULL */
	unsigned options;	    /* of enum option_set */
	uint64_t capabilities;	    /* that it keeps; see cmd/rights.h */
	enum opt_complete words;    /* what its arguments are */
	bool hidden;
	int failed; /* the exit status if it fails; 0: EXIT_FAILED */
	/* argv: what follows the command's name. Returns the exit status. */
	int (*run)(struct context *c, int argc, char **argv);
};

/*
 * Parses a command's line into c->options; prints help if asked to. Returns -1
 * to go on, or the exit status. The caller frees *rest in any case.
 */
int command_parse(struct context *c, const struct command *command, int argc, char **argv,
		  struct opt_rest *rest);
/* Parses the line into *rest; prints help made by `help` if asked to; then
 * as command_parse(). */
int parse_with(struct context *c, const struct opt_parse *p, int argc, char **argv, struct opt_rest *rest,
	       void (*help)(const void *about, struct buf *b), const void *about);
/* What is to be done once all options are known: capabilities that the command does not need are given
 * up, unless it passes them on to a program that it executes; terminal, colour, /proc. As
 * command_parse(), which calls it. */
int command_ready(struct context *c, bool executes);
/* Appends what `ipcctl COMMAND --help` prints. */
void command_print_help(const struct command *command, struct buf *b);
/* Complains about words that the command does not take; the exit status, or -1. */
int refuse_words(struct context *c, const struct command *command, const struct opt_rest *rest);
/* Asks whoever sits at the terminal, having written what was to be seen before. */
bool user_agrees(struct context *c, const char *question);
/* Says that memory ran out; returns EXIT_FAILED. */
int out_of_memory(struct context *c);
