/* SPDX-License-Identifier: MIT */
/*
 * What could not be read, gathered so that a thousand objects with the same
 * cause make one warning.
 */
#pragma once

#include "lib/buf.h"
#include "model/record.h"

struct warning {
	const char *subject; /* kind, or source such as "/dev/shm" */
	const char *fields;  /* fields that are unknown: "rss, swap"; or NULL: the whole source */
	int error;	     /* errno, or of enum why */
	const char *text;    /* explanation that replaces the text of error, or NULL */
	bool fatal;	     /* it is a failure, whatever the error: it was asked for by name */
	uint64_t count;	     /* how many objects it concerns; without fields it stands
				before the text; 0: the source itself */
	struct span example; /* reference of the first of them; without fields and count: what, of the
				subject, it is about */
	const char *because; /* what more is known of the cause, or NULL */
	/* What people hear of it in one line with all else that is out of sight: "processes". NULL: nothing,
	 * if it is not about fields of something. */
	const char *unseen;
	uint64_t rights; /* capabilities (lib/capability.h) that would show it, all together; 0: none would */
};

struct warnings {
	struct warning *items;
	size_t count;
	struct arena arena; /* fields, examples */
	bool incomplete;    /* something was hidden or could not be read */
	bool failed;	    /* a source failed for another reason than permission, or so: */
	bool starved;	    /* memory ran out for one of them */
};

/* Adds one, or counts it with one of the same cause. subject, text, because and unseen must live for
 * ever. EPERM, EACCES
 * and those of enum why that say so hide; the other reasons leave the view complete; any other errno is a
 * failure. */
void warnings_add(struct warnings *w, const struct warning *warning);
/* Whether one of the same cause is there. */
bool warnings_have(const struct warnings *w, const struct warning *warning);
/* Adds one for each cause of unknown values of r that are in set. */
void warnings_tally(struct warnings *w, const struct record *r, struct fieldset set);
/* Whether permission, or something like it, hides what the warning is about. */
bool warning_hides(const struct warning *warning);
/* Whether it is a failure, not a matter of permission. */
bool warning_fails(const struct warning *warning);
/* Adds all of `from` to w; from is left as it is. */
void warnings_merge(struct warnings *w, const struct warnings *from);
void warnings_free(struct warnings *w);
/* The warning as a sentence, escaped: "posix-sem: value of 3 objects is unknown: Permission denied". */
void warning_text(const struct warning *warning, struct buf *b);
