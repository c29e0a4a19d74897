/* SPDX-License-Identifier: MIT */
#include "scan/mountinfo.h"

#include <errno.h>

#include "lib/parse.h"

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
