/* SPDX-License-Identifier: MIT */
/* Which places there are: the namespaces of all tasks, and those that a descriptor or a mount keeps alive. */
#pragma once

#include "model/warnings.h"
#include "scan/place.h"

/* What was asked for. */
struct place_request {
	bool all;
	/* PID, number of a namespace, or path of one: each as it was typed; and numbers in front of
	 * references, which do not leave the place of this process out. */
	const char **words;
	size_t nwords;
	const uint64_t *numbers;
	size_t nnumbers;
	bool parts[PLACE_PARTS]; /* which sorts matter at all */
};

/*
 * Finds them; nothing is entered yet. Words that mean nothing, and what cannot be seen, are added to the
 * warnings. 0 or -ENOMEM.
 */
int places_find(struct places *places, const struct scan_context *context,
		const struct place_request *request, struct warnings *warnings) _must_check_;
