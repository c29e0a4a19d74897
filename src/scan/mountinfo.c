/* SPDX-License-Identifier: MIT */
#include "scan/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"

int mountinfo_parse(struct span line, struct mount_line *out)
{
	struct span word, source;
	const char *colon;

	/* ID parent major:minor root target options [optional...] - fstype source super */
	if (!next_word(&line, &word) || parse_u64(word, &out->id) < 0 || !next_word(&line, &word) ||
	    !next_word(&line, &word))
		return -EINVAL;
	colon = memchr(word.ptr, ':', word.len);
	if (!colon || parse_u64((struct span){ word.ptr, (size_t)(colon - word.ptr) }, &out->major) < 0 ||
	    parse_u64(span_from(word, (size_t)(colon - word.ptr) + 1), &out->minor) < 0)
		return -EINVAL;
	if (!next_word(&line, &word) || !next_word(&line, &out->target) || !next_word(&line, &word))
		return -EINVAL;
	do
		if (!next_word(&line, &word))
			return -EINVAL;
	while (!span_is(word, "-"));
	if (!next_word(&line, &out->fstype))
		return -EINVAL;
	if (!next_word(&line, &source) || !next_word(&line, &out->super))
		out->super = (struct span){ 0 };
	return 0;
}

void mountinfo_unescape(struct span path, struct buf *out)
{
	for (size_t i = 0; i < path.len; i++) {
		const char *p = path.ptr + i;

		if (*p == '\\' && path.len - i >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
		    p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			buf_putc(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
			i += 3;
		} else {
			buf_putc(out, *p);
		}
	}
}

int mountinfo_ambiguous(uint64_t **devices, size_t *count)
{
	_cleanup_(close_fd) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct mount_line mount;
	struct span line;
	int r = fd < 0 ? -errno : 1;

	while (r > 0 && (r = line_reader_next(&reader, &line)) > 0) {
		if (mountinfo_parse(line, &mount) < 0 || !span_is(mount.fstype, "btrfs"))
			continue;
		if (vec_reserve(devices, *count, sizeof(**devices)) < 0)
			return -ENOMEM;
		(*devices)[(*count)++] = makedev((unsigned)mount.major, (unsigned)mount.minor);
	}
	return r;
}
