/* SPDX-License-Identifier: MIT */
#include "scan/hugepages.h"

#include <dirent.h>

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

void huge_pages_read(struct huge_pages *h)
{
	struct dirent *entry;
	DIR *dir;

	if (h->read)
		return;
	h->read = true;
	dir = opendir("/sys/kernel/mm/hugepages");
	if (!dir)
		return;
	while (h->count < MOST_HUGE_PAGE_SIZES && (entry = readdir(dir)) != NULL)
		if (parse_name(span_of(entry->d_name), &h->sizes[h->count]))
			h->count++;
	closedir(dir);
	qsort(h->sizes, h->count, sizeof(h->sizes[0]), by_u64);
}
