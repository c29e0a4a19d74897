/* SPDX-License-Identifier: MIT */
/* /proc/PID/mountinfo: what is mounted, overlays, and the instance of a terminal. */
#include "scan/mountinfo.h"
#include "fuzz.h"
#include "lib/parse.h"
#include "scan/terminals.h"
#include "tree.h"

static void check_lines(struct span text)
{
	struct mount_line mount;
	struct span line;

	while (next_line(&text, &line)) {
		struct buf plain = { 0 };

		if (mountinfo_parse(line, &mount) < 0)
			continue;
		EXPECT(is_within(mount.root, line) && is_within(mount.target, line));
		EXPECT(is_within(mount.fstype, line) && is_within(mount.super, line));
		EXPECT(mount.root.len > 0 && mount.target.len > 0 && mount.fstype.len > 0);
		mountinfo_unescape(mount.target, &plain);
		EXPECT(!plain.failed && plain.len <= mount.target.len);
		buf_free(&plain);
	}
}

static void check_mounts(const struct tree *tree, struct span path)
{
	int fd = openat(tree->dir, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct mounts m = { 0 };
	uint64_t *devices = NULL;
	size_t count = 0;

	EXPECT(fd >= 0 && mounts_read_from(&m, fd) == 0);
	for (size_t i = 0; i < m.count; i++) {
		const struct mount *found = mounts_find(&m, m.items[i].id);

		EXPECT(found && found->id == m.items[i].id && (i == 0 || m.items[i - 1].id <= found->id));
	}
	EXPECT(mounts_devices(&m, MOUNT_LOCAL, MOUNT_LOCAL, &devices, &count) == 0 && count <= m.count);
	(void)mounts_in_layer(&m, path);
	for (size_t i = 0; i < m.nlayers; i++)
		EXPECT(m.layers[i].len > 0);
	free(devices);
	mounts_free(&m);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree tree = { .dir = -1 };
	struct input in = { data, size };
	struct statx stx = { .stx_ino = take_below(&in, 4), .stx_dev_minor = take_byte(&in) };
	struct span path = take_text(&in), text = take_rest(&in);
	struct terminals *terminals = NULL;
	struct object_key key;

	if (tree.dir < 0) {
		tree_open(&tree);
		tree_put(&tree, "self/fdinfo/3", SPAN("tty-index:\t4\n"));
	}
	tree_put(&tree, "self/mountinfo", text);
	check_lines(text);
	check_mounts(&tree, path);
	if (terminals_master(&terminals, tree.dir, "self", "3", &stx, path, &key) == 0)
		EXPECT(key.ino == 4 && key.dev != 0);
	terminals_free(terminals);
	return 0;
}
