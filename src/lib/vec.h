/* SPDX-License-Identifier: MIT */
/* Arrays that grow at their end. Their capacity is the power of two above their count. */
#pragma once

#include "lib/base.h"

/*
 * Makes room for one more item in an array of count items of `size` bytes each.
 * array: address of the pointer to the first item, NULL for none yet; free(3) it.
 * 0 or -ENOMEM; then the array is as it was.
 */
int vec_reserve(void *array, size_t count, size_t size) _must_check_;
/* For qsort(3) and bsearch(3), of numbers by their value. */
int by_u32(const void *a, const void *b);
int by_u64(const void *a, const void *b);
/*
 * Says that a large piece of memory will be used all over: the kernel may then give it in
 * huge pages, which saves a page fault for each 4 KiB. A mere hint, and not for what
 * realloc(3) is to enlarge: that then copies.
 */
void memory_advise(void *memory, size_t size);
