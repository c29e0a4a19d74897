/* SPDX-License-Identifier: MIT */
#include "cmd/select.h"

#include <errno.h>

#include "kind/registry.h"

static size_t count_kinds(void)
{
	size_t n = 0;

	while (kinds[n])
		n++;
	return n;
}

static int unknown_kind(struct context *c, const char *word)
{
	const char *near = kind_suggest(word, true);

	if (near)
		return diag_usage(&c->diag, "no kind is called '%s'; did you mean '%s'?", word, near);
	return diag_usage(&c->diag, "no kind is called '%s'; 'ipcctl kinds' lists them", word);
}

static int not_built(struct context *c, const char *word)
{
	return diag_usage(&c->diag, "'%s' is not built yet; 'ipcctl kinds' says which kinds are", word);
}

/* Marks what a word means. -1 to go on, or the exit status. */
static int mark(struct context *c, const char *word, bool *marked)
{
	const struct kind *kind = kind_find(span_of(word));
	const struct kind_group_name *group = kind ? NULL : kind_group_find(span_of(word));
	bool any = false;

	if (!kind && !group)
		return unknown_kind(c, word);
	for (size_t i = 0; kinds[i]; i++)
		if (kind_is_built(kinds[i]) &&
		    (kinds[i] == kind || (group && kind_in_group(kinds[i], group))))
			any = marked[i] = true;
	return any ? -1 : not_built(c, word);
}

int select_kinds(struct context *c, char **words, size_t nwords, const struct opt_words *letters,
		 const char *fallback, struct kind_list *list)
{
	size_t n = count_kinds();
	_cleanup_(free_ptr) bool *marked = calloc(n, sizeof(*marked));
	int r = -1;

	*list = (struct kind_list){ .items = calloc(n, sizeof(*list->items)) };
	if (!marked || !list->items)
		return out_of_memory(c);
	for (size_t i = 0; r < 0 && i < nwords; i++)
		r = mark(c, words[i], marked);
	for (size_t i = 0; r < 0 && letters && i < letters->count; i++)
		r = mark(c, letters->items[i].name, marked);
	if (r < 0 && nwords == 0 && (!letters || letters->count == 0))
		r = mark(c, fallback, marked);
	for (size_t i = 0; i < n; i++)
		if (marked[i])
			list->items[list->count++] = kinds[i];
	return r;
}

void kind_list_free(struct kind_list *list)
{
	free(list->items);
	*list = (struct kind_list){ 0 };
}

static int parse_target(struct context *c, const char *text, struct target *t)
{
	const char *colon = strchr(text, ':');
	_cleanup_(free_ptr) char *name = strndup(text, colon ? (size_t)(colon - text) : strlen(text));

	if (!name)
		return out_of_memory(c);
	if (!colon) {
		if (kind_find(span_of(text)))
			return diag_usage(&c->diag, "'%s' is a kind, not an object; expected such as %s",
					  text, kind_find(span_of(text))->reference);
		return diag_usage(&c->diag, "'%s' names no kind; expected KIND:OBJECT, such as %s", text,
				  kinds[0]->reference);
	}
	*t = (struct target){ kind_find(span_of(name)), span_of(colon + 1), text };
	if (!t->kind)
		return unknown_kind(c, name);
	return kind_is_built(t->kind) ? -1 : not_built(c, name);
}

/* "-m 5" is sysv-shm:5, "-M 0x1" is sysv-shm:key=0x1: which, the registry knows. */
static const char *letter_target(const struct opt_word *word, struct arena *arena)
{
	for (const struct kind *const *k = kinds; *k; k++) {
		if ((*k)->key_letter == 0)
			continue;
		if ((*k)->letter == word->letter)
			return arena_printf(arena, "%s:%s", (*k)->name, word->arg).ptr;
		if ((*k)->key_letter == word->letter)
			return arena_printf(arena, "%s:key=%s", (*k)->name, word->arg).ptr;
	}
	return NULL;
}

int select_targets(struct context *c, char **words, size_t nwords, const struct opt_words *letters,
		   struct targets *targets)
{
	size_t n = nwords + (letters ? letters->count : 0);
	int r = -1;

	*targets = (struct targets){ .items = calloc(n + 1, sizeof(*targets->items)) };
	if (!targets->items)
		return out_of_memory(c);
	for (size_t i = 0; r < 0 && i < n; i++) {
		const char *text =
			i < nwords ? words[i] : letter_target(&letters->items[i - nwords], &targets->arena);

		if (!text)
			return out_of_memory(c);
		r = parse_target(c, text, &targets->items[i]);
	}
	if (r < 0)
		targets->count = n;
	return r;
}

void targets_free(struct targets *targets)
{
	free(targets->items);
	arena_free(&targets->arena);
	*targets = (struct targets){ 0 };
}

int targets_request(const struct targets *targets, struct scan_request *request)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *t = &targets->items[i];

		request->sources |= t->kind->sources;
		if (t->kind->narrow && t->kind->narrow(t->id, request) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct scan_depth select_depth(const struct options *o)
{
	return (struct scan_depth){
		.content = o->content.set,
		.content_max = o->content.value,
		.attach = o->attach,
		.status = o->status,
		.no_processes = o->no_holders,
	};
}
