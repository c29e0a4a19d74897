/* SPDX-License-Identifier: MIT */
/* Memory around a futex word, and files that may be semaphores. */
#include "fuzz.h"
#include "scan/futex_layout.h"
#include "scan/semaphore.h"

static void check_semaphore(struct span bytes)
{
	struct semaphore s;

	semaphore_decode(bytes, &s);
	EXPECT(s.layout <= LAYOUT_MUSL_32 && s.value <= INT32_MAX);
	EXPECT(s.layout == LAYOUT_NONE || bytes.len == SEMAPHORE_SIZE_64 || bytes.len == SEMAPHORE_SIZE_32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct futex_hint hint = { .operation = (enum futex_operation)take_below(&in, FUTEX_OP_HELD + 1),
				   .libc = (enum futex_libc)take_below(&in, 3) };
	struct futex_window window = { .before = take_below(&in, FUTEX_BEFORE + 5) };
	struct futex_decoded d;
	uint8_t bits = take_byte(&in);
	char *bytes;

	hint.narrow = bits & 1;
	hint.recent = bits & 2;
	hint.value = (uint32_t)take_number(&in);
	window.offset = take_number(&in) & ~(uint64_t)3;
	check_semaphore((struct span){ (const char *)in.at, in.left });
	/* The word itself could be read, or there is nothing to decode. */
	if (in.left < window.before + 4)
		return 0;
	window.size = in.left < FUTEX_BEFORE + FUTEX_BEHIND ? in.left : FUTEX_BEFORE + FUTEX_BEHIND;
	bytes = copy_bytes((struct span){ (const char *)in.at, window.size }, false);
	window.bytes = (const unsigned char *)bytes;
	futex_decode(&window, &hint, &d);
	EXPECT((d.type == FUTEX_UNKNOWN) == (d.confidence == CONFIDENCE_NONE));
	EXPECT(d.before <= window.before && d.before <= window.offset);
	EXPECT(d.size >= 4 && d.before + d.size <= FUTEX_BEFORE + FUTEX_BEHIND);
	EXPECT(d.type == FUTEX_UNKNOWN || hint.libc == LIBC_UNKNOWN || hint.libc == d.libc);
	EXPECT(d.owner <= FUTEX_WORD_TID && d.value <= INT32_MAX);
	free(bytes);
	return 0;
}
