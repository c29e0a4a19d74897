/* SPDX-License-Identifier: MIT */
/* Files of numbers below /proc/sys, as limits read them. */
#include "fuzz.h"
#include "kind/common.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct scan_context context = { .own_pids = true };
	struct snapshot s = { .context = &context };
	struct value v;

	if (tree.dir < 0)
		tree_open(&tree);
	tree_put(&tree, "sys/kernel/sem", (struct span){ (const char *)data, size });
	context.proc = tree.dir;
	for (size_t word = 0; word < 4; word++) {
		limit_sysctl(&s, "sys/kernel/sem", word, &v);
		EXPECT(v.state == VALUE_SET || (v.state == VALUE_UNKNOWN && v.error > 0));
		/* One that is not there is no other one. */
		EXPECT(v.state == VALUE_UNKNOWN || size > 2 * word);
	}
	return 0;
}
