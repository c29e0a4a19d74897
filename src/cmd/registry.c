/* SPDX-License-Identifier: MIT */
#include "cmd/registry.h"

#include "lib/suggest.h"

#define COMMAND_POINTER(name) &command_##name,
const struct command *const commands[] = { COMMANDS(COMMAND_POINTER) NULL };
#undef COMMAND_POINTER

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
		for (const char *const *alias = (*c)->aliases; alias && *alias; alias++)
			if (strcmp(*alias, name) == 0)
				return *c;
	}
	return NULL;
}

const char *command_suggest(const char *word)
{
	struct suggest s = { 0 };

	for (const struct command *const *c = commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		suggest_offer(&s, word, (*c)->name);
		for (const char *const *alias = (*c)->aliases; alias && *alias; alias++)
			suggest_offer(&s, word, *alias);
	}
	return s.best;
}
