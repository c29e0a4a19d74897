/* SPDX-License-Identifier: MIT */
#include "scan/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/maps.h"

struct smaps_reader {
	struct line_reader lines;
	struct map_line head; /* of the mapping whose lines follow */
	bool pending;	      /* head was read already */
};

int smaps_open(struct smaps_reader **reader, int proc, uint32_t pid, uint32_t tid)
{
	char path[48];
	int fd;

	if (tid)
		snprintf(path, sizeof(path), "%u/task/%u/smaps", pid, tid);
	else
		snprintf(path, sizeof(path), "%u/smaps", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*reader = calloc(1, sizeof(**reader));
	if (!*reader) {
		close_fd(&fd);
		return -ENOMEM;
	}
	(*reader)->lines.fd = fd;
	return 0;
}

/* "Pss:      12 kB" into the figure it means, if it is one of ours. */
static void take_figure(struct span line, struct smaps_entry *entry)
{
	const struct {
		const char *label;
		uint64_t *sum;
	} figures[] = {
		{ "Rss:", &entry->rss },
		{ "Pss:", &entry->pss },
		{ "Shared_Dirty:", &entry->dirty },
		{ "Private_Dirty:", &entry->dirty },
		{ "Swap:", &entry->swap },
		{ "Shared_Hugetlb:", &entry->rss },
		{ "Private_Hugetlb:", &entry->rss },
	};
	struct span word;
	uint64_t kib;

	if (!next_word(&line, &word))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (span_is(word, figures[i].label) && next_u64(&line, &kib) == 0)
			*figures[i].sum += kib << 10;
}

int smaps_next(struct smaps_reader *reader, struct smaps_entry *entry)
{
	struct span line;
	int r;

	/* A head is a line of maps; figures begin with a capital, which no address does. */
	while (!reader->pending) {
		r = line_reader_next(&reader->lines, &line);
		if (r <= 0)
			return r;
		reader->pending = maps_parse(line, &reader->head) == 0;
	}
	*entry = (struct smaps_entry){ .start = reader->head.start,
				       .end = reader->head.end,
				       .offset = reader->head.offset,
				       .inode = reader->head.inode };
	reader->pending = false;
	while ((r = line_reader_next(&reader->lines, &line)) > 0) {
		reader->pending = maps_parse(line, &reader->head) == 0;
		if (reader->pending)
			break;
		take_figure(line, entry);
	}
	return r < 0 ? r : 1;
}

void smaps_close(struct smaps_reader *reader)
{
	if (!reader)
		return;
	close_fd(&reader->lines.fd);
	line_reader_free(&reader->lines);
	free(reader);
}
