/* SPDX-License-Identifier: MIT */
#include "kind/registry.h"

#include "lib/suggest.h"

#define KIND_POINTER(name) &kind_##name,
const struct kind *const kinds[] = { KINDS(KIND_POINTER) NULL };
#undef KIND_POINTER

const struct kind_group_name kind_groups[] = {
	{ "persistent", GROUP_PERSISTENT },
	{ "sysv", GROUP_SYSV },
	{ "posix", GROUP_POSIX },
	{ "fd", GROUP_FD },
	{ "socket", GROUP_SOCKET },
	{ "memory", GROUP_MEMORY },
	{ "lock", GROUP_LOCK },
	{ "sync", GROUP_SYNC },
	{ "all", 0 },
	{ NULL, 0 },
};

const struct kind *kind_find(struct span name)
{
	for (const struct kind *const *k = kinds; *k; k++) {
		if (span_is(name, (*k)->name))
			return *k;
		for (const char *const *alias = (*k)->aliases; alias && *alias; alias++)
			if (span_is(name, *alias))
				return *k;
	}
	return NULL;
}

const struct kind_group_name *kind_group_find(struct span name)
{
	for (const struct kind_group_name *g = kind_groups; g->name; g++)
		if (span_is(name, g->name))
			return g;
	return NULL;
}

const char *kind_suggest(const char *word, bool groups_too)
{
	struct suggest s = { 0 };

	for (const struct kind *const *k = kinds; *k; k++) {
		if (!kind_is_built(*k))
			continue;
		suggest_offer(&s, word, (*k)->name);
		for (const char *const *alias = (*k)->aliases; alias && *alias; alias++)
			suggest_offer(&s, word, *alias);
	}
	for (const struct kind_group_name *g = kind_groups; groups_too && g->name; g++)
		suggest_offer(&s, word, g->name);
	return s.best;
}

bool kind_in_group(const struct kind *k, const struct kind_group_name *g)
{
	return g->group == 0 || k->groups & g->group;
}
