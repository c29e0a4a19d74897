/* SPDX-License-Identifier: MIT */
#include "cmd/registry.h"

static int run(struct context *c, int argc, char **argv)
{
	struct opt_rest rest;
	int status = command_parse(c, &command_version, argc, argv, &rest);

	if (status < 0)
		status = refuse_words(c, &command_version, &rest);
	if (status < 0) {
		buf_puts(out_buf(&c->out), "ipcctl " IPCCTL_VERSION "\n");
		status = EXIT_DONE;
	}
	opt_rest_free(&rest);
	return status;
}

const struct command command_version = {
	.name = "version",
	.arguments = "",
	.summary = "Show the version",
	.options = OPTIONS_GLOBAL,
	.capabilities = RIGHTS_NONE,
	.run = run,
};
