/* SPDX-License-Identifier: MIT */
#include "cmd/listing.h"
#include "cmd/registry.h"

static int run(struct context *c, int argc, char **argv)
{
	struct scan_request request = { 0 };
	struct kind_list list = { 0 };
	struct listing l = { 0 };
	struct opt_rest rest;
	int status = command_parse(c, &command_list, argc, argv, &rest);

	if (status < 0)
		status = select_kinds(c, rest.words, rest.count, &c->options.kinds, "persistent", &list);
	if (status < 0)
		status = listing_init(&l, c, &list, "objects", false);
	if (status < 0)
		status = listing_take(&l, &request);
	if (status < 0)
		status = listing_show_all(&l);
	if (status < 0)
		status = sheet_end(&l.sheet);
	listing_free(&l);
	scan_request_free(&request);
	kind_list_free(&list);
	opt_rest_free(&rest);
	return status;
}

const struct command command_list = {
	.name = "list",
	.aliases = (const char *const[]){ "ls", NULL },
	.arguments = "[KIND...]",
	.summary = "List objects, a row each",
	.text = "KIND is a kind or a group of kinds; 'ipcctl kinds' lists them. Without any, the\n"
		"persistent ones are listed: those that outlive their processes.\n",
	.options = OPTIONS_GLOBAL | OPTIONS_PROCFS | OPTIONS_OUTPUT | OPTIONS_SELECT | OPTIONS_OWNER |
		   OPTIONS_PROCESSES | OPTIONS_DEPTH | OPTIONS_LETTERS,
	.words = COMPLETE_KIND,
	.run = run,
};
