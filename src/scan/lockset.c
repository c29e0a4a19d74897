/* SPDX-License-Identifier: MIT */
#include "scan/lockset.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "lib/parse.h"
#include "lib/vec.h"

/* "fd:00:1234": the device in hexadecimal, the inode in decimal. */
static int parse_file(struct span word, struct lock_line *out)
{
	uint64_t major, minor;

	if (!cut_hex(&word, ':', &major) || major > UINT32_MAX || !cut_hex(&word, ':', &minor) ||
	    minor > UINT32_MAX || parse_u64(word, &out->ino) < 0)
		return -EINVAL;
	out->dev = makedev((unsigned)major, (unsigned)minor);
	return 0;
}

static int parse_range(struct span start, struct span end, struct lock_line *out)
{
	if (parse_u64_in(start, 0, LOCK_EOF, &out->start) < 0)
		return -EINVAL;
	out->end = LOCK_EOF;
	return span_is(end, "EOF") || parse_u64_in(end, out->start, LOCK_EOF, &out->end) == 0 ? 0 : -EINVAL;
}

static int parse_type(struct span word, struct lock_line *out)
{
	static const struct {
		const char *word;
		enum lock_type type;
	} types[] = {
		{ "FLOCK", LOCK_FLOCK }, { "POSIX", LOCK_POSIX }, { "OFDLCK", LOCK_OFD },
		{ "LEASE", LOCK_LEASE }, { "DELEG", LOCK_LEASE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (span_is(word, types[i].word)) {
			out->type = types[i].type;
			return 0;
		}
	return -ENOTSUP;
}

/* "1: ", and "1: -> " with more blanks the longer the row of those that wait. */
static int parse_level(struct span *line, struct lock_line *out)
{
	const char *end;
	uint64_t number;
	size_t blanks = 0;

	while (line->len > 0 && (line->ptr[0] == ' ' || line->ptr[0] == '\t'))
		*line = span_from(*line, 1);
	end = memchr(line->ptr, ':', line->len);
	if (!end || parse_u64((struct span){ line->ptr, (size_t)(end - line->ptr) }, &number) < 0)
		return -EINVAL;
	*line = span_from(*line, (size_t)(end - line->ptr) + 1);
	while (blanks < line->len && line->ptr[blanks] == ' ')
		blanks++;
	*line = span_from(*line, blanks);
	out->level = 0;
	if (span_starts(*line, "->")) {
		out->level = (unsigned)(blanks > 0 ? blanks : 1);
		*line = span_from(*line, 2);
	}
	return 0;
}

int lock_parse(struct span line, struct lock_line *out)
{
	struct span words[7]; /* type, kind, mode, pid, file, start, end */
	int r = parse_level(&line, out);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++)
		r = next_word(&line, &words[i]) ? 0 : -EINVAL;
	if (r == 0)
		r = parse_type(words[0], out);
	if (r != 0)
		return r;
	out->breaking = span_is(words[1], "BREAKING");
	out->write = span_is(words[2], "WRITE");
	out->none = span_is(words[2], "UNLCK");
	if (!out->write && !out->none && !span_is(words[2], "READ"))
		return -EINVAL;
	if (parse_i64(words[3], &out->pid) < 0 || parse_file(words[4], out) < 0 ||
	    parse_range(words[5], words[6], out) < 0)
		return -EINVAL;
	return 0;
}

bool lock_same(const struct lock_line *a, const struct lock_line *b)
{
	return a->type == b->type && a->dev == b->dev && a->ino == b->ino &&
	       (a->type == LOCK_LEASE || (a->write == b->write && a->start == b->start && a->end == b->end));
}

uint64_t lock_digest(const struct lock_line *line)
{
	uint64_t d = line->ino * 0x9e3779b97f4a7c15u ^ line->dev << 8 ^ (uint64_t)line->type;

	if (line->type != LOCK_LEASE)
		d = (d ^ line->start * 2 ^ line->write) * 0xff51afd7ed558ccdu ^ line->end;
	return d;
}

const struct hash_slot *lock_set_next(const struct lock_set *set, const struct lock_line *line,
				      const struct hash_slot *after)
{
	const struct hash_slot *slot = after;

	while ((slot = hash_find(&set->index, lock_digest(line), slot)) != NULL)
		if (lock_same(&set->items[slot->value].line, line))
			return slot;
	return NULL;
}

int64_t lock_set_find(const struct lock_set *set, const struct lock *lock)
{
	const struct hash_slot *slot = NULL;

	while ((slot = lock_set_next(set, &lock->line, slot)) != NULL)
		if (set->items[slot->value].subvolume == lock->subvolume)
			return slot->value;
	return -ENOENT;
}

int64_t lock_set_add(struct lock_set *set, const struct lock *lock)
{
	int64_t at = lock_set_find(set, lock);

	if (at >= 0) {
		if (lock->looked && !set->items[at].looked)
			set->items[at] = *lock;
		return at;
	}
	if (set->count >= UINT32_MAX || vec_reserve(&set->items, set->count, sizeof(*set->items)) < 0 ||
	    hash_add(&set->index, lock_digest(&lock->line), (uint32_t)set->count) < 0)
		return -ENOMEM;
	set->items[set->count] = *lock;
	return (int64_t)set->count++;
}

void lock_set_free(struct lock_set *set)
{
	free(set->items);
	hash_free(&set->index);
	*set = (struct lock_set){ 0 };
}
