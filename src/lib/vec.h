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
 * As calloc(3), of memory that will be used all over in no order: if it is large, the kernel is asked
 * for huge pages, which save a page fault for each 4 KiB, and most of the processor's own look-ups
 * of addresses. NULL: no memory; to be freed with free(3).
 */
void *memory_zeroed(size_t count, size_t size) _must_check_;
