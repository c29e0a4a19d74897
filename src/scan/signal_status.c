/* SPDX-License-Identifier: MIT */
/* /proc/PID/task/TID/status, as far as it is about signals (proc(5)). */
#include <errno.h>

#include "lib/parse.h"
#include "scan/signals.h"

/* Lines that are read, in no order: each must be there once. */
enum line {
	LINE_NAME,
	LINE_STATE,
	LINE_TGID,
	LINE_TRACER,
	LINE_UID,
	LINE_THREADS,
	LINE_QUEUE,
	LINE_PENDING,
	LINE_PROCESS_PENDING,
	LINE_BLOCKED,
	LINE_IGNORED,
	LINE_CAUGHT,
	LINES,
};

#define LABEL(text)                                                                                          \
	{                                                                                                    \
		(text), sizeof(text) - 1                                                                     \
	}

static const struct span labels[] = {
	[LINE_NAME] = LABEL("Name:"),
	[LINE_STATE] = LABEL("State:"),
	[LINE_TGID] = LABEL("Tgid:"),
	[LINE_TRACER] = LABEL("TracerPid:"),
	[LINE_UID] = LABEL("Uid:"),
	[LINE_THREADS] = LABEL("Threads:"),
	[LINE_QUEUE] = LABEL("SigQ:"),
	[LINE_PENDING] = LABEL("SigPnd:"),
	[LINE_PROCESS_PENDING] = LABEL("ShdPnd:"),
	[LINE_BLOCKED] = LABEL("SigBlk:"),
	[LINE_IGNORED] = LABEL("SigIgn:"),
	[LINE_CAUGHT] = LABEL("SigCgt:"),
};

/* A number of 32 bits. */
static int take_number(struct span *rest, uint32_t *out)
{
	struct span word;
	uint64_t v;

	if (!next_word(rest, &word) || parse_u64_in(word, 0, UINT32_MAX, &v) < 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int take_mask(struct span rest, uint64_t *out)
{
	struct span word;

	return next_word(&rest, &word) && parse_hex(word, out) == 0 ? 0 : -EINVAL;
}

/* "3/127451" */
static int take_queue(struct span rest, struct signal_status *out)
{
	struct span word;
	const char *slash;
	size_t len;

	if (!next_word(&rest, &word))
		return -EINVAL;
	slash = memchr(word.ptr, '/', word.len);
	if (!slash)
		return -EINVAL;
	len = (size_t)(slash - word.ptr);
	return parse_u64((struct span){ word.ptr, len }, &out->queued) == 0 &&
			       parse_u64(span_from(word, len + 1), &out->limit) == 0 ?
		       0 :
		       -EINVAL;
}

static int take_state(struct span rest, char *out)
{
	struct span word;

	if (!next_word(&rest, &word) || word.len != 1)
		return -EINVAL;
	*out = word.ptr[0];
	return 0;
}

static int take_line(enum line line, struct span rest, struct signal_status *out)
{
	int r;

	switch (line) {
	case LINE_NAME: /* all that stands behind one tab */
		out->name = rest.len > 0 ? span_from(rest, 1) : rest;
		return 0;
	case LINE_STATE:
		return take_state(rest, &out->state);
	case LINE_TGID:
		return take_number(&rest, &out->leader);
	case LINE_TRACER:
		return take_number(&rest, &out->tracer);
	case LINE_UID: /* real, effective, saved, of the file system */
		r = take_number(&rest, &out->real_uid);
		return r < 0 ? r : take_number(&rest, &out->uid);
	case LINE_THREADS:
		return take_number(&rest, &out->threads);
	case LINE_QUEUE:
		return take_queue(rest, out);
	case LINE_PENDING:
		return take_mask(rest, &out->pending);
	case LINE_PROCESS_PENDING:
		return take_mask(rest, &out->process_pending);
	case LINE_BLOCKED:
		return take_mask(rest, &out->blocked);
	case LINE_IGNORED:
		return take_mask(rest, &out->ignored);
	case LINE_CAUGHT:
		return take_mask(rest, &out->caught);
	default:
		return -EINVAL;
	}
}

static enum line line_of(struct span text)
{
	size_t i = 0;

	/* Most lines are others: a look at the first letter is enough for them. */
	if (text.len == 0 || !strchr("NSTU", text.ptr[0]))
		return LINES;
	while (i < LINES && (text.len < labels[i].len || memcmp(text.ptr, labels[i].ptr, labels[i].len) != 0))
		i++;
	return (enum line)i;
}

int signal_status_parse(struct span text, struct signal_status *out)
{
	struct signal_status found = { 0 };
	unsigned seen = 0;
	struct span line;

	while (next_line(&text, &line)) {
		enum line which = line_of(line);

		if (which == LINES)
			continue;
		if (seen >> which & 1 || take_line(which, span_from(line, labels[which].len), &found) < 0)
			return -EINVAL;
		seen |= 1U << which;
	}
	if (seen != (1U << LINES) - 1)
		return -EINVAL;
	*out = found;
	return 0;
}
