/* SPDX-License-Identifier: MIT */
/* What is to be told of the processes that are drawn. */
#pragma once

#include "cmd/graphmodel.h"

/* Commands, users and namespaces; and which nodes are in the same namespaces. 0 or -ENOMEM. */
int graph_tell_processes(struct graph *g) _must_check_;
/* Puts the nodes of one cluster together, by counting; their order stays otherwise. 0 or -ENOMEM. */
int graph_frame(struct graph *g) _must_check_;
