/* SPDX-License-Identifier: MIT */
#pragma once

#include "cmd/cmd.h"

/* Appends what `ipcctl --help` prints. */
void print_overview(struct buf *b);
/* Complains, with a suggestion; returns EXIT_USAGE. */
int unknown_command(struct context *c, const char *word);
