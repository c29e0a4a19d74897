/* SPDX-License-Identifier: MIT */
#include "scan/futex_window.h"

#include <errno.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "lib/file.h"
#include "lib/parse.h"
#include "scan/memory.h"

/* So many tasks are asked what lies at their word: the first one nearly always can tell. */
#define MOST_ASKED 8

/* Where the byte at an address goes: the word at FUTEX_BEFORE. */
static unsigned char *place_of(struct futex_bytes *b, uint64_t word, uint64_t address)
{
	return b->bytes + FUTEX_BEFORE + (ptrdiff_t)(address - word);
}

int futex_window_task(struct futex_bytes *b, int proc, const struct futex_word *word)
{
	uint64_t at = word->waiter.address, page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = word->region_start, end = word->region_end;
	uint64_t from = at - start < FUTEX_BEFORE ? start : at - FUTEX_BEFORE;
	uint64_t to = end - at < FUTEX_BEHIND ? end : at + FUTEX_BEHIND;
	uint64_t here = at - at % page, next = here + page;
	uint64_t first = from < here ? here : from, last = to > next ? next : to;
	uint32_t tid = word->waiter.tid;
	int r = word->local ? memory_read(proc, tid, first, place_of(b, at, first), (size_t)(last - first)) :
			      -EREMOTE;

	if (r < 0)
		return r;
	/* The word's own page must be there; its neighbours need not. */
	if (from < first && memory_read(proc, tid, from, place_of(b, at, from), (size_t)(first - from)) == 0)
		first = from;
	if (to > last && memory_read(proc, tid, last, place_of(b, at, last), (size_t)(to - last)) == 0)
		last = to;
	b->window = (struct futex_window){ .bytes = place_of(b, at, first),
					   .before = (size_t)(at - first),
					   .size = (size_t)(last - first),
					   .offset = word->offset };
	return 0;
}

int futex_window_file(struct futex_bytes *b, int fd, uint64_t offset)
{
	_cleanup_(buf_free) struct buf text = { 0 };
	int r = pread_into(fd, offset, FUTEX_BEHIND, &text);

	if (r < 0)
		return r;
	if (text.len < sizeof(uint32_t))
		return -EFAULT;
	memcpy(b->bytes, text.data, text.len);
	b->window = (struct futex_window){ .bytes = b->bytes, .size = text.len, .offset = offset };
	return 0;
}

/* Whether the libc here, which is likely to be that of others, is glibc 2.41 or newer. */
static bool has_recent_glibc(void)
{
#ifdef __GLIBC__
	const char *version = gnu_get_libc_version(), *dot = strchr(version, '.');
	uint64_t minor;

	return strncmp(version, "2.", 2) == 0 && parse_u64(span_of(dot + 1), &minor) == 0 && minor > 40;
#else
	return true;
#endif
}

static enum futex_libc own_libc(void)
{
#ifdef __GLIBC__
	return LIBC_GLIBC;
#else
	return LIBC_MUSL;
#endif
}

void futex_window_decode(const struct futex_bytes *b, const struct futex_hint *hint, struct futex *futex)
{
	struct futex_hint full = *hint;

	full.narrow = sizeof(long) == 4;
	full.recent = has_recent_glibc();
	memcpy(&futex->word, b->window.bytes + b->window.before, sizeof(futex->word));
	futex_decode(&b->window, &full, &futex->decoded);
	/* Where two libcs could have made it, ours is the likelier one. */
	if (futex->decoded.type == FUTEX_UNKNOWN && hint->libc == LIBC_UNKNOWN) {
		full.libc = own_libc();
		futex_decode(&b->window, &full, &futex->decoded);
		if (futex->decoded.confidence == CONFIDENCE_CERTAIN)
			futex->decoded.confidence = CONFIDENCE_LIKELY;
	}
	futex->offset = b->window.offset - futex->decoded.before;
}

void futex_read_words(int proc, const struct futex_word *words, size_t n, struct futex *futex)
{
	futex->object = words[0].object;
	futex->offset = words[0].offset;
	futex->path = words[0].path;
	futex->pid = words[0].waiter.pid;
	futex->address = words[0].waiter.address;
	futex->error = -EAGAIN;
	for (size_t i = 0; i < n && i < MOST_ASKED && futex->decoded.type == FUTEX_UNKNOWN; i++) {
		const struct futex_waiter *w = &words[i].waiter;
		struct futex_hint hint = { w->operation, w->value, words[i].libc, false, false };
		struct futex_bytes b = { .window = { .bytes = NULL } };
		int r = futex_window_task(&b, proc, &words[i]);

		if (r < 0) {
			futex->error = futex->error ? r : 0;
			continue;
		}
		futex->error = 0;
		futex->pid = w->pid;
		futex_window_decode(&b, &hint, futex);
		futex->address = w->address - futex->decoded.before;
	}
}
