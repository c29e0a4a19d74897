/* SPDX-License-Identifier: MIT */
#include "scan/hugepages.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "lib/vec.h"

/* "hugepages-2048kB" */
static bool parse_name(struct span name, uint64_t *bytes)
{
	const struct span prefix = SPAN("hugepages-"), suffix = SPAN("kB");
	uint64_t kib;

	if (!span_starts(name, prefix.ptr) || name.len < prefix.len + suffix.len ||
	    !span_is(span_from(name, name.len - suffix.len), suffix.ptr))
		return false;
	name = (struct span){ name.ptr + prefix.len, name.len - prefix.len - suffix.len };
	if (parse_u64_in(name, 1, UINT64_MAX >> 10, &kib) < 0)
		return false;
	*bytes = kib << 10;
	return true;
}

int huge_pages_read(struct huge_pages *h)
{
	_cleanup_(close_fd) int fd = -1;
	_cleanup_(dir_reader_free) struct dir_reader reader = { 0 };
	const char *name;
	int r = 1;

	if (h->read)
		return 0;
	h->count = 0;
	fd = reader.fd = open("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (h->count < MOST_HUGE_PAGE_SIZES && (r = dir_reader_next(&reader, &name)) > 0)
		if (parse_name(span_of(name), &h->sizes[h->count]))
			h->count++;
	if (r < 0)
		return r;
	qsort(h->sizes, h->count, sizeof(h->sizes[0]), by_u64);
	h->read = true;
	return 0;
}
