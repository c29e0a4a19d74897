/* SPDX-License-Identifier: MIT */
/* What tasks are blocked in: /proc/PID/syscall and wchan, with all that is asked beside them. */
#include "scan/tasks.h"
#include "fuzz.h"
#include "scan/slept.h"
#include "tree.h"

static void check_line(struct span text)
{
	struct syscall_line line;
	int r = syscall_line_parse(text, &line);
	enum task_wait wait;

	EXPECT(r == 1 || r == 0 || r == -EINVAL);
	if (r == 1) {
		struct task task = { .number = line.number };

		wait = wait_of_call(line.number, line.args);
		EXPECT(wait <= WAIT_EPOLL && task_wait_name(wait));
		task.wait = (uint8_t)wait;
		memcpy(task.args, line.args, sizeof(task.args));
		(void)task_wait_is_timed(&task);
	}
	wait = wait_of_wchan(text);
	EXPECT(wait <= WAIT_EPOLL && task_wait_name(wait));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	static const char *const files[] = { "7/task/7/syscall", "7/task/7/wchan", "7/task/7/auxv",
					     "7/task/7/statm",	 "7/task/7/stat",  "7/task/7/schedstat",
					     "7/task/7/sched",	 "7/syscall",	   "7/wchan",
					     "7/auxv",		 "loadavg" };
	struct input in = { data, size };
	struct scan_context context = { .own_pids = true };
	struct tasks tasks;
	char state;
	uint64_t number;

	if (tree.dir < 0)
		tree_open(&tree);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct span text = i + 1 < ARRAY_SIZE(files) ? take_text(&in) : take_rest(&in);
		char *copy = copy_bytes(text, false);

		check_line((struct span){ copy, text.len });
		(void)!sched_last_run_parse((struct span){ copy, text.len }, &number);
		tree_put(&tree, files[i], text);
		free(copy);
	}
	context.proc = tree.dir;
	EXPECT(tasks_read(&tasks, &context, 1) == 0 && tasks.seen <= 1 && tasks.count <= tasks.seen);
	for (size_t i = 0; i < tasks.count; i++) {
		EXPECT(tasks.items[i].wait != WAIT_NOTHING && tasks.items[i].wait <= WAIT_EPOLL);
		EXPECT(tasks_find(&tasks, 7, 7) == &tasks.items[i]);
		(void)!task_state(&context, 7, 7, &state);
	}
	(void)!task_runs(&context, 7, 7, &number);
	tasks_free(&tasks);
	return 0;
}
