/* SPDX-License-Identifier: MIT */
/* The one line that says what was out of sight for want of rights, and which capabilities would show it. */
#pragma once

#include "lib/buf.h"
#include "model/warnings.h"

/* Whether a warning is about something that is out of sight for this process: the line has it. */
bool unseen_has(const struct warning *warning);
/* Appends the line, escaped, without end; nothing if no warning belongs there. Each capability is judged
 * by whether this process has it. */
void unseen_put(const struct warnings *warnings, struct buf *b);
