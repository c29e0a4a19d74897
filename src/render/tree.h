/* SPDX-License-Identifier: MIT */
/*
 * A JSON tree of libcjson under construction, and its text. The nodes come from an arena and keys are not
 * copied. Numbers are written as raw text, since cJSON keeps numbers as doubles; strings are escaped first,
 * since cJSON passes bytes through that are not UTF-8.
 */
#pragma once

#include <cjson/cJSON.h>

#include "lib/arena.h"
#include "lib/buf.h"

#define RUN_SIZE 1024

/*
 * A tree under construction. Lack of memory is remembered.
 *
 * Most members of a record are numbers and plain words, whose JSON is their own
 * text. cJSON looks at each byte of a key and of a string, and measures each
 * piece that it has printed, which is half of all the time a listing takes. So
 * neighbouring plain members of an object are gathered into one raw node: its key
 * is that of the first, its value `1,"next":2,"another":"word"`.
 */
struct tree {
	struct arena *arena;
	cJSON *run;	   /* the raw node that is being gathered, or NULL */
	cJSON *run_parent; /* the object it belongs to */
	size_t run_length;
	char run_text[RUN_SIZE];
	struct buf text; /* scratch for one value */
	size_t length;	 /* bound of what printing will take */
	bool twins;
	bool failed;
};

/* twins: for each time, a second member that people read. It is not cleared whole: the
 * run is large. Free t->text. */
void tree_init(struct tree *t, struct arena *arena, bool twins);
/* A new node at the end of an array or object (key: its name there, which must stay), or the first one
 * (parent is NULL). NULL if memory ran out, which the tree remembers. */
cJSON *tree_add(struct tree *t, cJSON *parent, const char *key, int type);
void tree_string(struct tree *t, cJSON *parent, const char *key, struct span s);
/* The text that was written to t->text, as a cJSON_String or cJSON_Raw. */
void tree_scratch(struct tree *t, cJSON *parent, const char *key, int type);
void tree_number(struct tree *t, cJSON *parent, const char *key, uint64_t number);
void tree_signed(struct tree *t, cJSON *parent, const char *key, int64_t number);
/* null, true, false. */
void tree_word(struct tree *t, cJSON *parent, const char *key, const char *word);
/* Appends the text of the whole tree. 0 or -ENOMEM. */
int tree_print(struct tree *t, cJSON *root, struct buf *out) _must_check_;
