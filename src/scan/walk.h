/* SPDX-License-Identifier: MIT */
/* One process of the walk: what holders_walk() does in each of its threads. */
#pragma once

#include "scan/visit.h"

/*
 * Looks at one process: its descriptors and mappings, those of threads that do
 * not share them included. What it finds goes into w, and into the process's own
 * place: the index-th holder, of which the caller has filled in the pid.
 */
void walk_process(struct walker *w, struct holder *holder, uint32_t index);
void walker_free(struct walker *w);
