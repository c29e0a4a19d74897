/* SPDX-License-Identifier: MIT */
#include "scan/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/parse.h"

/* Lines of locks stand before what is looked for, and there may be any number of them. */
static int read_without_locks(struct fdinfo *info, int fd)
{
	_cleanup_(line_reader_free) struct line_reader reader = { .fd = fd };
	struct span line;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	info->len = 0;
	while ((r = line_reader_next(&reader, &line)) > 0) {
		if (span_starts(line, "lock:") || line.len + 1 > sizeof(info->text) - info->len)
			continue;
		memcpy(info->text + info->len, line.ptr, line.len);
		info->text[info->len + line.len] = '\n';
		info->len += line.len + 1;
	}
	return r;
}

int fdinfo_read(struct fdinfo *info, int dir, const char *table, const char *name)
{
	_cleanup_(close_fd) int fd = -1;
	char path[64];
	ssize_t n;

	if (table)
		snprintf(path, sizeof(path), "%s/fdinfo/%s", table, name);
	fd = openat(dir, table ? path : name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, info->text, sizeof(info->text));
	if (n < 0)
		return -errno;
	info->len = (size_t)n;
	return info->len == sizeof(info->text) ? read_without_locks(info, fd) : 0;
}

int fdinfo_read_own(struct fdinfo *info, const char *name)
{
	_cleanup_(close_fd) int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return self < 0 ? -errno : fdinfo_read(info, self, ".", name);
}

/* The word behind a label; false if there is no such line. */
static bool find(const struct fdinfo *info, const char *label, struct span *word)
{
	struct span rest = { info->text, info->len }, line;

	while (next_line(&rest, &line)) {
		if (!span_starts(line, label))
			continue;
		line = span_from(line, strlen(label));
		return next_word(&line, word);
	}
	return false;
}

int fdinfo_number(const struct fdinfo *info, const char *label, uint64_t *out)
{
	struct span word;

	return find(info, label, &word) && parse_u64(word, out) == 0 ? 0 : -ENODATA;
}

int fdinfo_hex(const struct fdinfo *info, const char *label, uint64_t *out)
{
	struct span word;

	return find(info, label, &word) && parse_hex(word, out) == 0 ? 0 : -ENODATA;
}

int fdinfo_flags(const struct fdinfo *info, unsigned *flags)
{
	struct span word;
	unsigned value = 0;

	if (!find(info, "flags:", &word))
		return -ENODATA;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '7')
			return -ENODATA;
		value = value << 3 | (unsigned)(word.ptr[i] - '0');
	}
	*flags = value;
	return 0;
}
