/* SPDX-License-Identifier: MIT */
/* /proc/PID/stat. */
#include "fuzz.h"
#include "scan/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct process_stat stat;
	int r = process_stat_parse(text, &stat);

	EXPECT(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	EXPECT(is_within(stat.command, text));
	EXPECT(stat.command.ptr[-1] == '(' && stat.command.ptr[stat.command.len] == ')');
	EXPECT(stat.state != '\0' || memchr(text.ptr, '\0', text.len));
	(void)process_start(stat.start_ticks, 1700000000000000000);
	(void)process_start(stat.start_ticks, -1);
	return 0;
}
