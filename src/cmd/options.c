/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include <errno.h>

#include "kind/registry.h"

static void add(struct option_groups *g, const char *title, const struct opt *opts, size_t count,
		struct options *options)
{
	g->groups[g->count++] = (struct opt_group){ title, opts, count, options };
}

/* -m -q -s -M -Q -S, from the letters that the kinds claim. */
static int add_letters(struct option_groups *g, bool targets, struct options *options)
{
	size_t n = 0;

	for (const struct kind *const *k = kinds; *k; k++)
		n += ((*k)->letter != 0) + ((*k)->key_letter != 0);
	g->letters = calloc(n + 1, sizeof(*g->letters));
	if (!g->letters)
		return -ENOMEM;
	n = 0;
	for (const struct kind *const *k = kinds; *k; k++) {
		struct opt o = { .type = OPT_WORDS, .name = (*k)->name, .letter = (*k)->letter };

		if (!targets && o.letter) {
			o.offset = offsetof(struct options, kinds);
			o.help = (*k)->title;
			g->letters[n++] = o;
		} else if (targets && (*k)->key_letter) {
			o.offset = offsetof(struct options, targets);
			o.arg = "ID";
			o.help = (*k)->title;
			g->letters[n++] = o;
		}
	}
	for (const struct kind *const *k = kinds; targets && *k; k++)
		if ((*k)->key_letter)
			g->letters[n++] = (struct opt){ .type = OPT_WORDS,
							.name = (*k)->key_option,
							.letter = (*k)->key_letter,
							.arg = "KEY",
							.offset = offsetof(struct options, targets),
							.help = (*k)->title };
	add(g, targets ? "By number, as ipcrm has it" : "Kinds, as lsipc has them", g->letters, n, options);
	return 0;
}

static void add_tables(struct option_groups *g, const struct option_table *tables, unsigned set,
		       struct options *options)
{
	for (const struct option_table *t = tables; t->set; t++)
		if (set & t->set)
			add(g, t->title, t->opts, t->count, options);
}

int option_groups_init(struct option_groups *g, unsigned set, struct options *options)
{
	*g = (struct option_groups){ 0 };
	add_tables(g, command_tables, set, options);
	add_tables(g, shared_tables, set & ~(unsigned)OPTIONS_GLOBAL, options);
	if (set & (OPTIONS_LETTERS | OPTIONS_TARGETS) && add_letters(g, set & OPTIONS_TARGETS, options) < 0)
		return -ENOMEM;
	/* What is the same everywhere stands last. */
	add_tables(g, shared_tables, set & OPTIONS_GLOBAL, options);
	return 0;
}

void options_free(struct options *options)
{
	struct opt_words *words[] = { &options->filters,   &options->kinds, &options->paths,
				      &options->targets,   &options->kill,  &options->ipcns,
				      &options->per_object };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		opt_words_free(words[i]);
}

void option_groups_free(struct option_groups *g)
{
	free(g->letters);
	*g = (struct option_groups){ 0 };
}
