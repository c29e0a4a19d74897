/* SPDX-License-Identifier: MIT */
/* Pieces of references: ranges of bytes, addresses, offsets. */
#include "fuzz.h"
#include "kind/futex_ref.h"
#include "kind/inet_address.h"
#include "kind/lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, object;
	struct lock_line line = { 0 };
	struct lock_range range, again;
	struct inet_name name;
	struct buf written = { 0 };
	uint64_t offset;
	int r = lock_range_parse(text, &range);

	EXPECT(r == 0 || r == -EINVAL);
	if (r == 0) {
		EXPECT(range.start <= range.end && range.end <= LOCK_EOF);
		line.start = range.start;
		line.end = range.end;
		lock_put_range(&written, &line);
		EXPECT(lock_range_parse(buf_span(&written), &again) == 0);
		EXPECT(again.start == range.start && again.end == range.end);
	}
	if (inet_name_parse(text, &name) == 0)
		EXPECT(name.protocol < INET_PROTOCOLS);
	if (futex_split(text, &object, &offset) == 0)
		EXPECT(is_within(object, text) && object.len < text.len);
	buf_free(&written);
	return 0;
}
