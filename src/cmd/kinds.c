/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cmd/json_schema.h"
#include "cmd/registry.h"
#include "cmd/sheet.h"
#include "kind/registry.h"

enum {
	ONE_KIND,
	ONE_TITLE,
	ONE_BUILT,
	ONE_IDENTIFIER,
	ONE_HANDLE,
	ONE_PERSISTENCE,
	ONE_ACCESS,
	ONE_SOURCE,
	ONE_CREATE,
	ONE_REMOVE,
	ONE_REFERENCE,
	ONE_GROUPS,
	ONE_ALIASES,
};

static const struct field fields[] = {
	[ONE_KIND] = { .name = "kind",
		       .type = FIELD_STR,
		       .flags = FIELD_DEFAULT,
		       .help = "name of the kind" },
	[ONE_TITLE] = { .name = "title", .type = FIELD_STR, .flags = FIELD_SHRINK, .help = "what it is" },
	[ONE_BUILT] = { .name = "built",
			.type = FIELD_BOOL,
			.flags = FIELD_DEFAULT,
			.help = "whether this version can handle it" },
	[ONE_IDENTIFIER] = { .name = "identifier",
			     .type = FIELD_STR,
			     .flags = FIELD_DEFAULT | FIELD_SHRINK,
			     .help = "how unrelated processes find it" },
	[ONE_HANDLE] = { .name = "handle",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT | FIELD_SHRINK,
			 .help = "what a process uses it by" },
	[ONE_PERSISTENCE] = { .name = "persistence",
			      .type = FIELD_STR,
			      .flags = FIELD_DEFAULT | FIELD_SHRINK,
			      .help = "how long it lives" },
	[ONE_ACCESS] = { .name = "access",
			 .type = FIELD_STR,
			 .flags = FIELD_DEFAULT | FIELD_SHRINK,
			 .help = "what decides who may use it" },
	[ONE_SOURCE] = { .name = "source",
			 .type = FIELD_STR,
			 .flags = FIELD_SHRINK,
			 .help = "where it is read from" },
	[ONE_CREATE] = { .name = "create",
			 .type = FIELD_STR,
			 .flags = FIELD_SHRINK,
			 .help = "what create does" },
	[ONE_REMOVE] = { .name = "remove",
			 .type = FIELD_STR,
			 .flags = FIELD_SHRINK,
			 .help = "what remove does" },
	[ONE_REFERENCE] = { .name = "reference",
			    .type = FIELD_STR,
			    .flags = FIELD_SHRINK,
			    .help = "forms of a reference to one" },
	[ONE_GROUPS] = { .name = "groups", .type = FIELD_STR, .help = "groups it belongs to" },
	[ONE_ALIASES] = { .name = "aliases", .type = FIELD_STR, .help = "other names" },
};

static const struct schema schema = { "kind", fields, ARRAY_SIZE(fields) };

static void put_word(struct buf *b, const char *word)
{
	if (b->len > 0)
		buf_putc(b, ' ');
	buf_puts(b, word);
}

static void record_words(struct record *r, size_t field, const struct buf *words)
{
	if (words->failed)
		record_unknown(r, field, ENOMEM);
	else if (words->len > 0)
		record_str(r, field, arena_span(r->arena, buf_span(words)));
}

static void project(const struct kind *k, struct record *r)
{
	_cleanup_(buf_free) struct buf groups = { 0 }, aliases = { 0 };

	record_text(r, ONE_KIND, k->name);
	record_text(r, ONE_TITLE, k->title);
	record_bool(r, ONE_BUILT, kind_is_built(k));
	record_text(r, ONE_IDENTIFIER, k->identifier);
	record_text(r, ONE_HANDLE, k->handle);
	record_text(r, ONE_PERSISTENCE, k->persistence);
	record_text(r, ONE_ACCESS, k->access);
	record_text(r, ONE_SOURCE, k->source);
	record_text(r, ONE_CREATE, k->create_means);
	record_text(r, ONE_REMOVE, k->remove_means);
	record_text(r, ONE_REFERENCE, k->reference);
	for (const struct kind_group_name *g = kind_groups; g->name; g++)
		if (kind_in_group(k, g))
			put_word(&groups, g->name);
	for (const char *const *alias = k->aliases; alias && *alias; alias++)
		put_word(&aliases, *alias);
	record_words(r, ONE_GROUPS, &groups);
	record_words(r, ONE_ALIASES, &aliases);
}

static int show(struct context *c, struct sheet *sheet)
{
	struct arena arena = { 0 };
	struct record r;
	int e = 0;

	sheet_begin(sheet, time(NULL));
	for (const struct kind *const *k = kinds; e == 0 && *k; k++) {
		e = record_init(&r, &schema, &arena);
		if (e == 0) {
			project(*k, &r);
			e = arena.failed ? -ENOMEM : sheet_add(sheet, &r);
		}
	}
	arena_free(&arena);
	return e < 0 ? out_of_memory(c) : sheet_end(sheet);
}

static int run(struct context *c, int argc, char **argv)
{
	const struct schema *only = &schema;
	struct sheet sheet = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_kinds, argc, argv, &rest);

	if (status < 0)
		status = refuse_words(c, &command_kinds, &rest);
	if (status < 0 && c->options.json_schema)
		status = json_schema_print(out_buf(&c->out)) < 0 ? out_of_memory(c) : EXIT_DONE;
	if (status < 0)
		status = sheet_init(
			&sheet, c, &(struct sheet_plan){ .schemas = &only, .nschemas = 1, .array = "kinds" });
	if (status < 0)
		status = show(c, &sheet);
	sheet_free(&sheet);
	opt_rest_free(&rest);
	return status;
}

const struct command command_kinds = {
	.name = "kinds",
	.arguments = "",
	.summary = "Compare the kinds: how they are named, held, kept and protected",
	.options = OPTIONS_GLOBAL | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_KINDS,
	.capabilities = RIGHTS_NONE,
	.run = run,
};
