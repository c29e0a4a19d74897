/* SPDX-License-Identifier: MIT */
/* All commands, in the order in which help lists them. */
#pragma once

#include "cmd/cmd.h"

#define COMMANDS(X)                                                                                          \
	X(summary)                                                                                           \
	X(list)                                                                                              \
	X(describe)                                                                                          \
	X(create)                                                                                            \
	X(remove)                                                                                            \
	X(clean)                                                                                             \
	X(limits)                                                                                            \
	X(waits)                                                                                             \
	X(metrics)                                                                                           \
	X(check)                                                                                             \
	X(graph)                                                                                             \
	X(watch)                                                                                             \
	X(kinds)                                                                                             \
	X(help)                                                                                              \
	X(version)                                                                                           \
	X(complete)

#define DECLARE_COMMAND(name) extern const struct command command_##name;
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

/* All commands, NULL-terminated. */
extern const struct command *const commands[];

/* The command with this name or alias, or NULL. */
const struct command *command_find(const char *name);
/* The visible command that a mistyped word is nearest to, or NULL. */
const char *command_suggest(const char *word);
