/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps and smaps. */
#include "fuzz.h"
#include "lib/parse.h"
#include "scan/attach.h"
#include "scan/smaps.h"
#include "tree.h"

static void check_lines(struct span text)
{
	const struct internal_devices devices = { .items = { 0x800001, 1 }, .count = 2 };
	struct map_line map;
	struct span line;
	uint32_t key;

	while (next_line(&text, &line)) {
		if (maps_parse(line, &map) < 0)
			continue;
		EXPECT(is_within(map.path, line));
		EXPECT(map.path.len == 0 || map.path.ptr + map.path.len == line.ptr + line.len);
		if (attach_is_segment(&map, &devices, &key))
			EXPECT(map.shared && map.path.len == strlen("/SYSV00000000 (deleted)"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct span text = { (const char *)data, size };
	struct smaps_reader *reader;
	struct smaps_entry entry;
	size_t entries = 0;
	int r;

	if (tree.dir < 0)
		tree_open(&tree);
	check_lines(text);
	tree_put(&tree, "7/smaps", text);
	EXPECT(smaps_open(&reader, tree.dir, 7, 0) == 0);
	while ((r = smaps_next(reader, &entry)) > 0)
		EXPECT(entries++ < size);
	EXPECT(r == 0);
	smaps_close(reader);
	return 0;
}
