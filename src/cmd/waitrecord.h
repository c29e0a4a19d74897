/* SPDX-License-Identifier: MIT */
/* A task and what it waits for, as a record. */
#pragma once

#include "cmd/waitgraph.h"

extern const struct schema wait_schema;
/* Words for enum wait_verdict, by its values. */
extern const char *const wait_verdict_values[];

/* Fills the wanted fields (p->want) of a clear record from wait i of the graph. 0 or -ENOMEM. */
int wait_project(struct projector *p, const struct wait_graph *g, size_t i, struct record *r) _must_check_;
