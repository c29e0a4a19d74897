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

/* What words have said of one kind so far. */
struct mark {
	bool whole;	 /* all of it is wanted */
	struct buf part; /* else these objects of it: "protocol=tcp,udp" */
};

static void mark_kind(struct mark *m, const struct kind *k, const char *word)
{
	const char *value = kind_alias_value(k, word);

	if (!value) {
		m->whole = true;
		return;
	}
	buf_puts(&m->part, m->part.len ? "," : k->alias_field);
	buf_puts(&m->part, m->part.len > strlen(k->alias_field) ? "" : "=");
	buf_puts(&m->part, value);
}

/* Marks what a word means. -1 to go on, or the exit status. */
static int mark(struct context *c, const char *word, struct mark *marks)
{
	const struct kind *kind = kind_find(span_of(word));
	const struct kind_group_name *group = kind ? NULL : kind_group_find(span_of(word));
	bool any = false;

	if (!kind && !group)
		return unknown_kind(c, word);
	for (size_t i = 0; kinds[i]; i++) {
		if (!kind_is_built(kinds[i]) ||
		    !(kinds[i] == kind || (group && kind_in_group(kinds[i], group))))
			continue;
		mark_kind(&marks[i], kinds[i], word);
		any = true;
	}
	return any ? -1 : not_built(c, word);
}

/* Makes the list of what was marked, and frees the marks. 0 or -ENOMEM. */
static int list_marked(struct mark *marks, size_t n, struct kind_list *list)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		bool part = !marks[i].whole && marks[i].part.len > 0;

		if (part && !buf_cstr(&marks[i].part))
			r = -ENOMEM;
		if (part) {
			list->parts[list->count] = marks[i].part.data;
			marks[i].part = (struct buf){ 0 };
		}
		if (part || marks[i].whole)
			list->items[list->count++] = kinds[i];
		buf_free(&marks[i].part);
	}
	return r;
}

int select_kinds(struct context *c, char **words, size_t nwords, const struct opt_words *letters,
		 const char *fallback, struct kind_list *list)
{
	size_t n = count_kinds();
	_cleanup_(free_ptr) struct mark *marks = calloc(n + 1, sizeof(*marks));
	int r = -1;

	*list = (struct kind_list){ .items = calloc(n + 1, sizeof(*list->items)),
				    .parts = calloc(n + 1, sizeof(*list->parts)) };
	if (!marks || !list->items || !list->parts)
		return out_of_memory(c);
	for (size_t i = 0; r < 0 && i < nwords; i++)
		r = mark(c, words[i], marks);
	for (size_t i = 0; r < 0 && letters && i < letters->count; i++)
		r = mark(c, letters->items[i].name, marks);
	if (r < 0 && nwords == 0 && (!letters || letters->count == 0))
		r = mark(c, fallback, marks);
	if (list_marked(marks, n, list) < 0)
		r = out_of_memory(c);
	return r;
}

void kind_list_free(struct kind_list *list)
{
	for (size_t i = 0; list->parts && i < list->count; i++)
		free(list->parts[i]);
	free(list->parts);
	free(list->items);
	*list = (struct kind_list){ 0 };
}

/* What cannot be a reference, because no kind stands before the colon. */
static int no_kind(struct context *c, const char *text, const char *name)
{
	const struct kind_group_name *group = kind_group_find(span_of(name));

	if (!group)
		return unknown_kind(c, name);
	for (const struct kind *const *k = kinds; *k; k++)
		if (kind_is_built(*k) && kind_in_group(*k, group))
			return diag_usage(&c->diag,
					  "'%s': '%s' is a group of kinds; expected a kind, such as %s", text,
					  name, (*k)->name);
	return not_built(c, name);
}

/* The kernel shows numbers in brackets: "pipe:[4711]", as a link in /proc/PID/fd has it. */
static struct span without_brackets(struct span id)
{
	if (id.len > 2 && id.ptr[0] == '[' && id.ptr[id.len - 1] == ']' &&
	    strspn(id.ptr + 1, "0123456789") == id.len - 2)
		return (struct span){ id.ptr + 1, id.len - 2 };
	return id;
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
	*t = (struct target){ kind_find(span_of(name)), without_brackets(span_of(colon + 1)), text };
	if (!t->kind)
		return no_kind(c, text, name);
	/* "tcp:127.0.0.1:80" is of a kind whose references begin so. */
	if (kind_alias_value(t->kind, name))
		t->id = span_of(text);
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

		uint64_t ino;
		size_t prefix = kind_part(t->kind) < 0 ? 0 : place_prefix(t->id, &ino);

		request->sources |= t->kind->sources;
		if (prefix && scan_request_place(request, ino) < 0)
			return -ENOMEM;
		if (t->kind->narrow && t->kind->narrow(span_from(t->id, prefix), request) < 0)
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
		.prove = o->prove,
		.queue = o->queue,
		.no_processes = o->no_holders,
	};
}

int select_paths(struct context *c, const struct kind_list *list, struct scan_request *request)
{
	const struct opt_words *paths = &c->options.paths;
	unsigned sources = 0;

	if (paths->count == 0)
		return -1;
	for (size_t i = 0; i < list->count; i++)
		sources |= list->items[i]->sources;
	if (!(sources & SOURCE_PATHS))
		return diag_usage(&c->diag, "--path: no kind that is listed is made of such files");
	for (size_t i = 0; i < paths->count; i++)
		if (name_list_add(&request->directories, span_of(paths->items[i].arg)) < 0)
			return out_of_memory(c);
	request->sources |= SOURCE_PATHS;
	return -1;
}
