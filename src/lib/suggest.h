/* SPDX-License-Identifier: MIT */
/* "Did you mean": the candidate nearest to a mistyped word. */
#pragma once

#include "lib/base.h"

/* Keeps the best candidate seen so far. Zero-initialise, offer each, read best. */
struct suggest {
	const char *best; /* NULL: nothing near enough */
	unsigned distance;
};

/* Offers one candidate for word. */
void suggest_offer(struct suggest *s, const char *word, const char *candidate);
