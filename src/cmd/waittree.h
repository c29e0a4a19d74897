/* SPDX-License-Identifier: MIT */
/* Who waits for whom, as a tree for people. */
#pragma once

#include "cmd/waitgraph.h"

/*
 * Appends it to out: on top those who could release something and wait for nothing themselves,
 * below each what it is, and below that who waits for it, and so on. What nobody in sight could
 * release stands at the top itself. 0 or -ENOMEM.
 */
int wait_tree_print(const struct wait_graph *g, struct context *c) _must_check_;
