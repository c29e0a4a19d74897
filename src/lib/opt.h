/* SPDX-License-Identifier: MIT */
/*
 * Option tables. A table is the single source for parsing, --help, completion
 * and the test of the manual pages. getopt_long(3) is not used because it takes
 * abbreviations, prints its own messages and keeps its state in globals.
 */
#pragma once

#include "lib/buf.h"
#include "lib/diag.h"

enum opt_type {
	OPT_FLAG,   /* bool */
	OPT_STRING, /* const char * */
	OPT_U64,    /* struct opt_u64 */
	OPT_I64,    /* struct opt_i64 */
	OPT_SIZE,   /* struct opt_u64, in bytes; K M G T */
	OPT_AGE,    /* struct opt_u64, in seconds; s m h d w */
	OPT_TIME,   /* struct opt_u64, in milliseconds; fractions, ms s m h d w */
	OPT_MODE,   /* struct opt_u64, permission bits up to 0777 */
	OPT_WORDS,  /* struct opt_words: every use is appended, with its argument (or
		       NULL if the option takes none) */
};

/* What completion offers for the argument. */
enum opt_complete {
	COMPLETE_NOTHING,
	COMPLETE_FIELD,
	COMPLETE_KIND,
	COMPLETE_REF,
	COMPLETE_COMMAND,
	COMPLETE_USER,
	COMPLETE_FILE,
	COMPLETE_SIGNAL,
	COMPLETE_CHOICE, /* from .choices */
};

struct opt_u64 {
	bool set;
	uint64_t value;
};

struct opt_i64 {
	bool set;
	int64_t value;
};

struct opt {
	const char *name; /* long name without dashes */
	char letter;	  /* short form, or 0 */
	enum opt_type type;
	bool optional;	     /* the argument may be missing: --name or --name=ARG */
	uint64_t missing;    /* the value if it is */
	const char *arg;     /* what help calls the argument; NULL: takes none */
	size_t offset;	     /* of the value in the structure of its group */
	const char *choices; /* "auto|always|never": only these are taken */
	enum opt_complete complete;
	const char *help; /* one line */
};

/* One use of an OPT_WORDS option. */
struct opt_word {
	const char *name; /* of the option */
	char letter;
	const char *arg;
};

struct opt_words {
	struct opt_word *items;
	size_t count;
};

/* A table together with the structure that takes its values. */
struct opt_group {
	const char *title; /* for help */
	const struct opt *opts;
	size_t count;
	void *values;
};

/* What is left of the command line: words that are no options. */
struct opt_rest {
	char **words;
	size_t count;
	char **command;	 /* takes_command: what followed "--", terminated by NULL; or NULL */
	size_t consumed; /* how many of argv were read (see first_word_ends) */
};

struct opt_parse {
	const struct opt_group *groups;
	size_t ngroups;
	bool first_word_ends; /* stop before the first word that is no option: there are none then */
	bool takes_command;   /* what follows "--" is a command; else words like others */
	const char *hint;     /* where the options are listed: "'ipcctl help list' lists them" */
};

/*
 * Parses argv[0..argc). Words are collected in *rest (opt_rest_free()), values
 * stored where the tables say; strings point into argv. Returns 0, 2 after a
 * message (the exit status for wrong usage), or -ENOMEM. Values of OPT_WORDS
 * are freed by opt_words_free().
 */
int opt_parse(const struct opt_parse *p, int argc, char **argv, struct opt_rest *rest,
	      struct diag *d) _must_check_;
void opt_rest_free(struct opt_rest *rest);
void opt_words_free(struct opt_words *w);

/* Appends the options of a group as help text: "  -J, --json   text". */
void opt_help(const struct opt_group *g, struct buf *b);
