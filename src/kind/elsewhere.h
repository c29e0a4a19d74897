/* SPDX-License-Identifier: MIT */
/* What is done with objects of another place from within its IPC namespace, by a child process. */
#pragma once

#include "kind/kind.h"

/* Objects of one view, [from, to) of its indices; base: what to add to those. */
struct stretch {
	const struct kind *k;
	struct projector *p;
	const struct snapshot *view;
	size_t from, to, base;
	struct record *r;
	int (*visit)(void *data, size_t index, const struct record *r);
	void *data;
};

/* Projects and visits them. 0 or -errno. */
int stretch_each(const struct stretch *s) _must_check_;
/* The same with the projecting done there. What cannot be asked there, for whatever reason, is unknown. */
int stretch_elsewhere(const struct stretch *s) _must_check_;

/* Something that is done to one object of a view. */
struct deed {
	const struct kind *k;
	struct projector *p; /* NULL: it is to be removed, whatever it is */
	struct snapshot *view;
	size_t index;
	const struct reclaim *rules;
	struct report *report;
};

/* Does it, as k->remove() or k->reclaim(). */
int deed_do(const struct deed *d) _must_check_;
int deed_do_elsewhere(const struct deed *d) _must_check_;
/* As k->create(), and limit->read(), there. */
int create_elsewhere(const struct kind *k, const struct snapshot *view, const struct create_args *args,
		     struct report *report) _must_check_;
void limit_elsewhere(const struct limit *limit, struct snapshot *view, struct limit_value *out);
