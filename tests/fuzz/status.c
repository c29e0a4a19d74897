/* SPDX-License-Identifier: MIT */
/* /proc/PID/status: signals, users, numbers in inner namespaces. */
#include "fuzz.h"
#include "lib/signals.h"
#include "scan/futex_owner.h"
#include "scan/owners.h"
#include "scan/signals.h"
#include "shown.h"
#include "tree.h"

/* Names of signals lead back to their numbers. */
static void check_names(uint64_t mask)
{
	struct buf names = { 0 };
	struct span rest;
	int number = 0;

	signal_names_into(&names, mask);
	EXPECT(!names.failed && is_shown(buf_span(&names), ""));
	rest = buf_span(&names);
	while (rest.len > 0) {
		const char *blank = memchr(rest.ptr, ' ', rest.len);
		size_t len = blank ? (size_t)(blank - rest.ptr) : rest.len;

		EXPECT(parse_signal((struct span){ rest.ptr, len }, &number) == 0);
		EXPECT(number >= 1 && number <= 64 && mask & SIGNAL_BIT(number));
		mask &= ~SIGNAL_BIT(number);
		rest = span_from(rest, len + (blank != NULL));
	}
	EXPECT(mask == 0);
	buf_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct span text = { (const char *)data, size };
	struct scan_context context = { .own_pids = true };
	struct signal_status status;
	struct user_status user;

	if (tree.dir < 0)
		tree_open(&tree);
	if (signal_status_parse(text, &status) == 0) {
		EXPECT(is_within(status.name, text));
		check_names(status.pending);
		check_names(status.caught);
	}
	if (user_status_parse(text, &user) == 0)
		EXPECT(user.threads > 0);
	tree_put(&tree, "7/task/7/status", text);
	context.proc = tree.dir;
	EXPECT(task_inner_number(&context, 7, 7) <= INT32_MAX);
	return 0;
}
