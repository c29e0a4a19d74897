/* SPDX-License-Identifier: MIT */
/* One process of the walk: what holders_walk() does in each of its threads. */
#pragma once

#include "scan/visit.h"

/* Looks at one process: its descriptors and mappings, those of threads that do
 * not share them included. What it finds goes into w. */
void walk_process(struct walker *w, uint32_t pid);
void walker_free(struct walker *w);
