/* SPDX-License-Identifier: MIT */
#include "scan/semaphore.h"

#define PSHARED_GLIBC 0x80u	    /* FUTEX_PRIVATE_FLAG, stored inverted: "shared" */
#define VALUE_MAX 0x7fffffffu	    /* SEM_VALUE_MAX */
#define MUSL_WAITED_FOR 0xffffffffu /* up to 1.2.3: value 0 and somebody waits */
#define MOST_WAITERS 0x400000u	    /* PID_MAX_LIMIT: more tasks cannot be waiting */

static bool all_zero(const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i])
			return false;
	return true;
}

static bool is_glibc_64(const uint32_t *w, struct semaphore *out)
{
	uint64_t data;

	/* One 64-bit word: the value in its low half, the waiters in its high one. */
	memcpy(&data, w, sizeof(data));
	*out = (struct semaphore){ LAYOUT_GLIBC_64, (uint32_t)data, (uint32_t)(data >> 32) };
	return w[2] == PSHARED_GLIBC && all_zero(w + 3, 5) && out->value <= VALUE_MAX &&
	       out->waiters <= MOST_WAITERS;
}

static bool is_glibc_32(const uint32_t *w, struct semaphore *out)
{
	/* Bit 0 of the value says that somebody waits. */
	*out = (struct semaphore){ LAYOUT_GLIBC_32, w[0] >> 1, w[3] };
	return w[1] == PSHARED_GLIBC && w[2] == 0 && w[3] <= MOST_WAITERS;
}

static bool is_musl(const uint32_t *w, size_t words, struct semaphore *out)
{
	out->layout = words * sizeof(*w) == SEMAPHORE_SIZE_64 ? LAYOUT_MUSL_64 : LAYOUT_MUSL_32;
	/* The top bit is, since 1.2.4, a mark that somebody waits. */
	out->value = w[0] == MUSL_WAITED_FOR ? 0 : w[0] & VALUE_MAX;
	out->waiters = w[1];
	/* What is behind these three words sem_open(3) takes from its stack as it is. */
	return w[2] == 0 && w[1] <= MOST_WAITERS;
}

void semaphore_decode(struct span bytes, struct semaphore *out)
{
	uint32_t words[SEMAPHORE_SIZE_64 / sizeof(uint32_t)];
	bool found = false;

	if (bytes.len == SEMAPHORE_SIZE_64 || bytes.len == SEMAPHORE_SIZE_32) {
		memcpy(words, bytes.ptr, bytes.len);
		found = bytes.len == SEMAPHORE_SIZE_64 ? is_glibc_64(words, out) : is_glibc_32(words, out);
		if (!found)
			found = is_musl(words, bytes.len / sizeof(words[0]), out);
	}
	if (!found)
		*out = (struct semaphore){ LAYOUT_NONE, 0, 0 };
}
