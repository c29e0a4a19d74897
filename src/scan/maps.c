/* SPDX-License-Identifier: MIT */
#include "scan/maps.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/parse.h"

int maps_parse(struct span line, struct map_line *out)
{
	struct span word;

	if (!cut_hex(&line, '-', &out->start) || !cut_hex(&line, ' ', &out->end))
		return -EINVAL;
	if (line.len < 5 || line.ptr[4] != ' ')
		return -EINVAL;
	out->read = line.ptr[0] == 'r';
	out->write = line.ptr[1] == 'w';
	out->shared = line.ptr[3] == 's';
	line = span_from(line, 5);
	if (!cut_hex(&line, ' ', &out->offset) || !cut_hex(&line, ':', &out->major) ||
	    !cut_hex(&line, ' ', &out->minor))
		return -EINVAL;
	if (!next_word(&line, &word) || parse_u64(word, &out->inode) < 0)
		return -EINVAL;
	/* The path is padded on its left and may hold blanks itself. */
	while (line.len > 0 && line.ptr[0] == ' ')
		line = span_from(line, 1);
	out->path = line;
	return 0;
}

int maps_find_own(const void *address, struct map_line *out)
{
	_cleanup_(close_fd) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct span line;
	int r = fd < 0 ? -errno : 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0)
		if (maps_parse(line, out) == 0 && out->start == (uintptr_t)address) {
			out->path = (struct span){ 0 };
			return 0;
		}
	return r < 0 ? r : -ENOENT;
}
