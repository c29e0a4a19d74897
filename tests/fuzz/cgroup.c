/* SPDX-License-Identifier: MIT */
/* /proc/PID/cgroup: the container and unit that names of groups tell of, which users may choose. */
#include "scan/cgroup.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf plain = { 0 };
	struct cgroup g;
	int r = cgroup_parse(text, &g);

	EXPECT(r == 0 || r == -EINVAL);
	if (r < 0)
		EXPECT(g.runtime.len == 0 && g.id.len == 0 && g.name.len == 0 && g.unit.len == 0);
	EXPECT(is_within(g.id, text) && is_within(g.name, text) && is_within(g.path, text) &&
	       is_within(g.unit, text));
	/* It becomes a part of paths that are opened. */
	for (size_t i = 0; i < g.id.len; i++)
		EXPECT(g.id.ptr[i] != '/' && g.id.ptr[i] != '\0');
	EXPECT(!span_is(g.id, "..") && !span_is(g.id, "."));
	EXPECT(g.runtime.len > 0 || (g.id.len == 0 && g.name.len == 0));
	cgroup_unescape(g.name, &plain);
	EXPECT(plain.failed || plain.len <= g.name.len);
	buf_free(&plain);
	return 0;
}
