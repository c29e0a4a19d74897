/* SPDX-License-Identifier: MIT */
/* /proc/PID/fdinfo/N, locks and all; and the descriptors of an epoll instance in it. */
#include "scan/fdinfo.h"
#include "fuzz.h"
#include "scan/pollset.h"
#include "tree.h"

static const char *const labels[] = { "pos:", "flags:", "mnt_id:", "ino:", "tty-index:", "eventfd-id:", "" };

static int count_polled(void *data, int fd)
{
	EXPECT(fd >= 0);
	return ++*(int *)data > MOST_POLLED ? -E2BIG : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	const struct task task = { .pid = 7, .tid = 7, .wait = WAIT_EPOLL, .args = { 3 } };
	struct scan_context context = { .own_pids = true };
	struct fdinfo info;
	unsigned flags;
	uint64_t v;
	int polled = 0;

	if (tree.dir < 0)
		tree_open(&tree);
	tree_put(&tree, "7/task/7/fdinfo/3", (struct span){ (const char *)data, size });
	EXPECT(fdinfo_read(&info, tree.dir, "7/task/7", "3") == 0);
	EXPECT(info.len <= sizeof(info.text) && info.len <= size + 1);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		(void)(fdinfo_number(&info, labels[i], &v) == 0 || fdinfo_hex(&info, labels[i], &v) == 0);
	(void)!fdinfo_flags(&info, &flags);
	context.proc = tree.dir;
	(void)!pollset_each(&context, &task, count_polled, &polled);
	return 0;
}
