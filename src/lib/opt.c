/* SPDX-License-Identifier: MIT */
#include "lib/opt.h"

#include <errno.h>
#include <stdio.h>

#include "lib/parse.h"
#include "lib/suggest.h"
#include "lib/vec.h"

/* An option as it was found: which, in which group, and how it was spelled. */
struct found {
	const struct opt *opt;
	const struct opt_group *group;
	const char *spelling; /* "--name" or "-x", for messages */
};

static bool find_long(const struct opt_parse *p, struct span name, struct found *f)
{
	for (size_t g = 0; g < p->ngroups; g++)
		for (size_t i = 0; i < p->groups[g].count; i++)
			if (span_is(name, p->groups[g].opts[i].name)) {
				f->opt = &p->groups[g].opts[i];
				f->group = &p->groups[g];
				return true;
			}
	return false;
}

static bool find_letter(const struct opt_parse *p, char letter, struct found *f)
{
	for (size_t g = 0; g < p->ngroups; g++)
		for (size_t i = 0; i < p->groups[g].count; i++)
			if (p->groups[g].opts[i].letter == letter) {
				f->opt = &p->groups[g].opts[i];
				f->group = &p->groups[g];
				return true;
			}
	return false;
}

static int unknown_long(const struct opt_parse *p, const char *word, size_t len, struct diag *d)
{
	_cleanup_(buf_free) struct buf name = { 0 };
	struct suggest s = { 0 };
	const char *text;

	buf_put(&name, word, len);
	text = buf_cstr(&name);
	if (!text)
		return -ENOMEM;
	for (size_t g = 0; g < p->ngroups; g++)
		for (size_t i = 0; i < p->groups[g].count; i++)
			suggest_offer(&s, text, p->groups[g].opts[i].name);
	if (s.best)
		return diag_usage(d, "unknown option '--%s'; did you mean '--%s'?", text, s.best);
	return diag_usage(d, "unknown option '--%s'; %s", text, p->hint);
}

static const char *expected(const struct opt *o)
{
	switch (o->type) {
	case OPT_SIZE:
		return "a size such as 4096, 64K or 2G";
	case OPT_AGE:
		return "an age such as 90, 10m, 2h or 1d";
	case OPT_TIME:
		return "a span of time such as 2, 0.2, 200ms or 10m";
	case OPT_MODE:
		return "permission bits in octal, 0 to 777";
	case OPT_I64:
		return "a whole number";
	default:
		return "a whole number without sign";
	}
}

static bool is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
		if (strncmp(c, word, n) == 0 && (c[n] == '|' || c[n] == '\0') && n > 0)
			return true;
	return false;
}

static int append_word(struct opt_words *w, const struct opt *o, const char *arg)
{
	if (vec_reserve(&w->items, w->count, sizeof(*w->items)) < 0)
		return -ENOMEM;
	w->items[w->count++] = (struct opt_word){ o->name, o->letter, arg };
	return 0;
}

static int parse_number(const struct opt *o, const char *arg, struct opt_u64 *out)
{
	struct span s = span_of(arg);
	unsigned mode;
	int r;

	switch (o->type) {
	case OPT_SIZE:
		r = parse_size(s, &out->value);
		break;
	case OPT_AGE:
		r = parse_age(s, &out->value);
		break;
	case OPT_TIME:
		r = parse_milliseconds(s, &out->value);
		break;
	case OPT_MODE:
		r = parse_mode(s, 0777, &mode);
		if (r == 0)
			out->value = mode;
		break;
	default:
		r = parse_u64(s, &out->value);
	}
	if (r == 0)
		out->set = true;
	return r;
}

/* Stores one option with its argument (NULL: none). 0, 2 or -ENOMEM. */
static int store(const struct found *f, const char *arg, struct diag *d)
{
	const struct opt *o = f->opt;
	void *at = (char *)f->group->values + o->offset;
	int r = 0;

	if (o->choices && arg && !is_choice(o->choices, arg))
		return diag_usage(d, "option '%s': '%s' is none of %s", f->spelling, arg, o->choices);
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_STRING:
		*(const char **)at = arg;
		return 0;
	case OPT_WORDS:
		return append_word(at, o, arg);
	case OPT_I64:
		r = arg ? parse_i64(span_of(arg), &((struct opt_i64 *)at)->value) : -EINVAL;
		if (r == 0)
			((struct opt_i64 *)at)->set = true;
		break;
	default:
		/* Only an option with an optional argument gets here without one. */
		if (!arg)
			*(struct opt_u64 *)at = (struct opt_u64){ true, o->missing };
		else
			r = parse_number(o, arg, at);
	}
	if (r == -ERANGE)
		return diag_usage(d, "option '%s': '%s' is out of range; expected %s", f->spelling, arg,
				  expected(o));
	if (r < 0)
		return diag_usage(d, "option '%s': '%s' is not %s", f->spelling, arg, expected(o));
	return 0;
}

/* "--name", "--name=ARG" or "--name ARG" at argv[*i]. */
static int take_long(const struct opt_parse *p, int argc, char **argv, int *i, struct diag *d)
{
	const char *word = argv[*i] + 2;
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	char spelling[64];
	struct found f;
	const char *arg = equals ? equals + 1 : NULL;

	if (!find_long(p, (struct span){ word, len }, &f))
		return unknown_long(p, word, len, d);
	snprintf(spelling, sizeof(spelling), "--%s", f.opt->name);
	f.spelling = spelling;
	if (!f.opt->arg && arg)
		return diag_usage(d, "option '%s' takes no argument, but '%s' was given", f.spelling, arg);
	if (f.opt->arg && !f.opt->optional && !arg) {
		if (*i + 1 >= argc)
			return diag_usage(d, "option '%s' needs an argument: %s", f.spelling, f.opt->arg);
		arg = argv[++*i];
	}
	return store(&f, arg, d);
}

/* "-x", "-xyz", "-xARG" or "-x ARG" at argv[*i]. */
static int take_letters(const struct opt_parse *p, int argc, char **argv, int *i, struct diag *d)
{
	for (const char *c = argv[*i] + 1; *c; c++) {
		char spelling[3] = { '-', *c, '\0' };
		struct found f = { .spelling = spelling };
		const char *arg = NULL;
		int r;

		if (!find_letter(p, *c, &f))
			return diag_usage(d, "unknown option '%s' in '%s'; %s", spelling, argv[*i], p->hint);
		if (f.opt->arg && !f.opt->optional) {
			if (c[1] != '\0')
				arg = c + 1;
			else if (*i + 1 < argc)
				arg = argv[++*i];
			else
				return diag_usage(d, "option '%s' needs an argument: %s", spelling,
						  f.opt->arg);
		}
		r = store(&f, arg, d);
		if (r != 0 || arg)
			return r;
	}
	return 0;
}

int opt_parse(const struct opt_parse *p, int argc, char **argv, struct opt_rest *rest, struct diag *d)
{
	bool words_only = false;
	int i, r;

	*rest = (struct opt_rest){ 0 };
	if (!p->first_word_ends) {
		rest->words = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof(*rest->words));
		if (!rest->words)
			return -ENOMEM;
	}
	for (i = 0; i < argc; i++) {
		char *word = argv[i];

		if (!words_only && strcmp(word, "--") == 0) {
			if (p->takes_command) {
				rest->command = &argv[i + 1];
				i = argc;
				break;
			}
			words_only = true;
			continue;
		}
		if (words_only || word[0] != '-' || word[1] == '\0') {
			if (p->first_word_ends)
				break;
			rest->words[rest->count++] = word;
			continue;
		}
		r = word[1] == '-' ? take_long(p, argc, argv, &i, d) : take_letters(p, argc, argv, &i, d);
		if (r != 0)
			return r;
	}
	rest->consumed = (size_t)i;
	return 0;
}

void opt_rest_free(struct opt_rest *rest)
{
	free(rest->words);
	*rest = (struct opt_rest){ 0 };
}

void opt_words_free(struct opt_words *w)
{
	free(w->items);
	*w = (struct opt_words){ 0 };
}

void opt_help(const struct opt_group *g, struct buf *b)
{
	const size_t column = 30;

	if (g->title && g->count > 0)
		buf_printf(b, "\n%s:\n", g->title);
	for (size_t i = 0; i < g->count; i++) {
		const struct opt *o = &g->opts[i];
		size_t start = b->len, used;

		if (o->letter)
			buf_printf(b, "  -%c, --%s", o->letter, o->name);
		else
			buf_printf(b, "      --%s", o->name);
		if (o->arg && o->optional)
			buf_printf(b, "[=%s]", o->arg);
		else if (o->arg)
			buf_printf(b, " %s", o->arg);
		used = b->len - start;
		if (used + 2 > column) {
			buf_putc(b, '\n');
			used = 0;
		}
		buf_fill(b, ' ', column - used);
		buf_puts(b, o->help);
		buf_putc(b, '\n');
	}
}
