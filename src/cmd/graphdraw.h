/* SPDX-License-Identifier: MIT */
/* The forms that a graph is written in. */
#pragma once

#include "cmd/graphmodel.h"

/* Text for dot(1) of Graphviz, and for Mermaid. complete: nothing was hidden. */
void graph_draw_dot(const struct graph *g, bool complete, struct buf *out);
void graph_draw_mermaid(const struct graph *g, bool complete, struct buf *out);
/* One JSON document, but for what sheet_end() writes behind it; ipcctl-json(5). 0, or -ENOMEM. */
int graph_write_json(const struct graph *g, struct sheet *sheet) _must_check_;
