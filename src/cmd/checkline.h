/* SPDX-License-Identifier: MIT */
/* What a monitoring plugin prints: a line with the status, performance data, then lines for people. */
#pragma once

#include "cmd/cmd.h"
#include "cmd/threshold.h"

struct check_line {
	enum check_status status;      /* the worst so far, see check_text() */
	struct buf critical, warnings; /* what is said on the first line */
	struct buf fine;	       /* what is said if there are neither */
	struct buf unread;	       /* what is said behind either */
	struct buf data, more;
	const char *fullest_limit;
	double fullest;
};

/* Something that was checked, with its status (not CHECK_UNKNOWN), in a few words. */
void check_text(struct check_line *line, enum check_status status, const char *fmt, ...) _printf_(3, 4);
/* Something that could not be read: it is said, whatever status that is to be. */
void check_unread(struct check_line *line, enum check_status status, const char *fmt, ...) _printf_(3, 4);
/* A line of its own on it, if that status is not CHECK_OK. */
void check_more(struct check_line *line, enum check_status status, const char *fmt, ...) _printf_(3, 4);
/* The same of a text that was escaped already, whatever the status. */
void check_more_escaped(struct check_line *line, const char *text);
/* Performance data: a percentage, or a number in a unit ("", "B"). */
void check_percent(struct check_line *line, const struct threshold *t, double value, const char *label, ...)
	_printf_(4, 5);
void check_number(struct check_line *line, const struct threshold *t, uint64_t value, const char *unit,
		  const char *label);
/* Remembers the limit that is nearest to being reached: it is told even if all is well. */
void check_fullest(struct check_line *line, const char *limit, double percent);
/* Appends a size for people: "1.2 GiB". */
void check_size(struct buf *b, uint64_t bytes);
/* Whether it is whole: 0, or -ENOMEM. */
int check_error(const struct check_line *line) _must_check_;
/* Appends all of it. The exit status. */
int check_print(struct check_line *line, struct buf *out);
void check_free(struct check_line *line);
/* Prints that nothing could be checked, and why; the exit status. */
int check_cannot(struct context *c, const char *fmt, ...) _printf_(2, 3);
