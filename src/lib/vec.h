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
