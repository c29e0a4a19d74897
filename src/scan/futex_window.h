/* SPDX-License-Identifier: MIT */
/* Reading and decoding what lies around a futex word. */
#pragma once

#include "scan/futex_waits.h"

/* Bytes around a word, as far as they could be read. */
struct futex_bytes {
	unsigned char bytes[FUTEX_BEFORE + FUTEX_BEHIND];
	struct futex_window window;
};

/* Reads through the memory of a task. 0, -EREMOTE: a file system might be waited for, -EAGAIN: the
 * word is not in memory, or -errno. */
int futex_window_task(struct futex_bytes *b, int proc, const struct futex_word *word) _must_check_;
/* Reads a file. 0, -EFAULT: it ends before, or -errno. */
int futex_window_file(struct futex_bytes *b, int fd, uint64_t offset) _must_check_;
/* Decodes; sets futex->word, decoded and offset from the word's own offset. */
void futex_window_decode(const struct futex_bytes *b, const struct futex_hint *hint, struct futex *futex);
/* All of an object that n tasks wait for or hold by the same word, but for the tasks. */
void futex_read_words(int proc, const struct futex_word *words, size_t n, struct futex *futex);
