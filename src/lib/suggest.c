/* SPDX-License-Identifier: MIT */
#include "lib/suggest.h"

#define LONGEST 48

/* Damerau-Levenshtein distance (optimal string alignment) of short words. */
static unsigned edit_distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned rows[3][LONGEST + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= lb; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *recycled = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		before = above;
		above = row;
		row = recycled;
	}
	return above[lb];
}

void suggest_offer(struct suggest *s, const char *word, const char *candidate)
{
	size_t lw = strlen(word), lc = strlen(candidate);
	unsigned d;

	if (lw == 0 || lw > LONGEST || lc > LONGEST)
		return;
	d = edit_distance(word, lw, candidate, lc);
	/* A word that shares nothing is no suggestion; a prefix is one. */
	if (lw >= 3 && lc > lw && strncmp(word, candidate, lw) == 0 && d > 2)
		d = 2;
	if (d > 2 || (size_t)d * 2 > lc)
		return;
	if (!s->best || d < s->distance) {
		s->best = candidate;
		s->distance = d;
	}
}
