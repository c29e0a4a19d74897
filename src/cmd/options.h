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

/*
 * The tables that belong to a set of enum option_set, with values pointing into
 * options. 0 or -ENOMEM.
 */
int option_groups_init(struct option_groups *g, unsigned set, struct options *options) _must_check_;
void option_groups_free(struct option_groups *g);
