/* SPDX-License-Identifier: MIT */
/* /proc/locks, and the lines of fdinfo that are like its. */
#include "fuzz.h"
#include "lib/parse.h"
#include "scan/proclocks.h"
#include "tree.h"

static void check_lines(struct span text, struct lock_set *set)
{
	struct lock_line a;
	struct span line;

	while (next_line(&text, &line)) {
		struct lock lock = { 0 };
		int64_t at;

		if (lock_parse(line, &a) < 0)
			continue;
		EXPECT(a.start <= a.end && a.end <= LOCK_EOF);
		EXPECT(lock_same(&a, &a));
		lock.line = a;
		at = lock_set_add(set, &lock);
		EXPECT(at >= 0 && (size_t)at < set->count && lock_set_find(set, &lock) == at);
	}
}

static void check_table(const struct proc_locks *l)
{
	size_t waiters = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct proc_lock *lock = &l->items[i], *first = proc_locks_find(l, &lock->line);

		EXPECT(first && lock_same(&first->line, &lock->line) &&
		       proc_locks_has_inode(l, lock->line.ino));
		EXPECT(lock->first == waiters && lock->line.level == 0);
		for (uint32_t w = lock->first; w < lock->first + lock->count; w++)
			EXPECT(l->waiters[w].ahead == NO_WAITER ||
			       (l->waiters[w].ahead >= lock->first && l->waiters[w].ahead < w));
		waiters += lock->count;
		while (first && first != lock)
			first = proc_locks_next(l, first);
		EXPECT(first == lock);
	}
	EXPECT(waiters == l->nwaiters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct span text = { (const char *)data, size };
	struct scan_context context = { .own_pids = true };
	struct proc_locks locks = { 0 };
	struct lock_set set = { 0 };

	if (tree.dir < 0)
		tree_open(&tree);
	check_lines(text, &set);
	tree_put(&tree, "locks", text);
	context.proc = tree.dir;
	EXPECT(proc_locks_read(&locks, &context) == 0);
	check_table(&locks);
	EXPECT(proc_locks_confirm(&locks, &context, &set) == 0);
	for (size_t i = 0; i < locks.count; i++)
		EXPECT(!locks.items[i].gone);
	proc_locks_free(&locks);
	lock_set_free(&set);
	return 0;
}
