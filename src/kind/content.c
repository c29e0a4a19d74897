/* SPDX-License-Identifier: MIT */
#include "kind/content.h"

#include <errno.h>
#include <unistd.h>

#include "lib/file.h"

enum { CONTENT_OFFSET, CONTENT_SIZE, CONTENT_DATA };

static const struct field fields[] = {
	[CONTENT_OFFSET] = { .name = "offset", .type = FIELD_U64, .help = "where the bytes stand" },
	[CONTENT_SIZE] = { .name = "size", .type = FIELD_U64, .help = "how many" },
	[CONTENT_DATA] = { .name = "data", .type = FIELD_BLOB, .help = "the bytes" },
};

const struct schema content_schema = { "content", fields, ARRAY_SIZE(fields) };

int content_add(struct record *r, size_t field, uint64_t offset, struct span data)
{
	struct list *list =
		r->values[field].state == VALUE_SET ? r->values[field].list : record_list(r, field);
	struct span copy = arena_span(r->arena, data);
	struct record row;

	if (!list || !copy.ptr || list_append(r, list, &row) < 0)
		return -ENOMEM;
	record_u64(&row, CONTENT_OFFSET, offset);
	record_u64(&row, CONTENT_SIZE, data.len);
	record_str(&row, CONTENT_DATA, copy);
	return 0;
}

int content_read_file(struct record *r, size_t field, size_t read_field, int fd, uint64_t size, uint64_t max)
{
	struct list *list = record_list(r, field);
	uint64_t end = size < max ? size : max;
	off_t at = 0;

	if (!list)
		return -ENOMEM;
	record_u64(r, read_field, end);
	while ((uint64_t)at < end) {
		_cleanup_(buf_free) struct buf data = { 0 };
		off_t start = lseek(fd, at, SEEK_DATA), hole;
		int error;

		if (start < 0 && errno == ENXIO)
			break; /* nothing but a hole up to the end */
		hole = start < 0 ? -1 : lseek(fd, start, SEEK_HOLE);
		if (hole < 0) {
			record_unknown(r, field, errno);
			return 0;
		}
		if ((uint64_t)start >= end)
			break;
		if ((uint64_t)hole > end)
			hole = (off_t)end;
		error = pread_into(fd, (uint64_t)start, (size_t)(hole - start), &data);
		if (error == -ENOMEM ||
		    (error == 0 && content_add(r, field, (uint64_t)start, buf_span(&data)) < 0))
			return -ENOMEM;
		if (error < 0) {
			record_unknown(r, field, error);
			return 0;
		}
		if (data.len < (size_t)(hole - start))
			break; /* it was cut short meanwhile */
		at = hole;
	}
	return 0;
}
