/* SPDX-License-Identifier: MIT */
/* The option tables that commands share. */
#pragma once

#include "cmd/cmd.h"

#define MOST_GROUPS 12

/* The groups of a command, ready to parse into c->options. */
struct option_groups {
	struct opt_group groups[MOST_GROUPS];
	size_t count;
	struct opt *letters; /* made from the kinds' letters; option_groups_free() */
};

/* One table of options, for commands that have it in their set. */
struct option_table {
	unsigned set; /* of enum option_set; 0: behind the last */
	const char *title;
	const struct opt *opts;
	size_t count;
};

extern const struct option_table command_tables[]; /* of single commands */
extern const struct option_table shared_tables[];  /* that mean the same wherever they occur */

/*
 * The tables that belong to a set of enum option_set, with values pointing into
 * options. 0 or -ENOMEM.
 */
int option_groups_init(struct option_groups *g, unsigned set, struct options *options) _must_check_;
/* What the parser has allocated for the values. */
void options_free(struct options *options);
void option_groups_free(struct option_groups *g);
