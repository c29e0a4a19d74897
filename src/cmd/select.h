/* SPDX-License-Identifier: MIT */
/* Which kinds, and which objects, the user's words mean. */
#pragma once

#include "cmd/cmd.h"
#include "kind/kind.h"

/* Kinds in the order of the registry, each once. */
struct kind_list {
	const struct kind **items;
	size_t count;
	/* For each, NULL or the filter that the words made of it: "protocol=tcp,udp". */
	char **parts;
};

/*
 * The kinds that words (names, aliases, groups) and letters ask for; all built
 * ones of `fallback` if there are none. -1 to go on, or the exit status.
 */
int select_kinds(struct context *c, char **words, size_t nwords, const struct opt_words *letters,
		 const char *fallback, struct kind_list *list);
void kind_list_free(struct kind_list *list);
/* --path: where files are looked for that nobody may have open, if any of these kinds is made of such.
 * -1 to go on, or the exit status. */
int select_paths(struct context *c, const struct kind_list *list, struct scan_request *request);

/* One REF of the user's. */
struct target {
	const struct kind *kind;
	struct span id;	  /* what stands behind "KIND:" */
	const char *text; /* the whole reference */
};

struct targets {
	struct target *items;
	size_t count;
	struct arena arena; /* references made of -m ID and the like */
};

/* Parses references from words and -m ID. -1 to go on, or the exit status. */
int select_targets(struct context *c, char **words, size_t nwords, const struct opt_words *letters,
		   struct targets *targets);
void targets_free(struct targets *targets);
/* The request that looks for the targets only. 0 or -ENOMEM. */
int targets_request(const struct targets *targets, struct scan_request *request) _must_check_;

/* How closely the options allow to look. */
struct scan_depth select_depth(const struct options *o);
