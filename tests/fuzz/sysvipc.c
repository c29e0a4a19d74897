/* SPDX-License-Identifier: MIT */
/* Tables of /proc/sysvipc. */
#include "scan/sysvipc.h"
#include "fuzz.h"

static void check_rss(const struct sysv_table *t, size_t i)
{
	static const uint64_t sizes[] = { 64 << 10, 2 << 20, 1 << 30 };
	const struct sysv_shm_row *row = sysv_shm_at(t, i);
	uint64_t huge, rss = sysv_shm_rss(row, 4096, sizes, ARRAY_SIZE(sizes), &huge);

	EXPECT(rss <= row->rss);
	EXPECT(huge == 0 || row->rss > row->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct sysv_table t = { .kind = (enum sysv_kind)take_below(&in, 3) };
	int r = sysv_table_parse(&t, take_rest(&in));

	EXPECT(r == 0 || r == -EINVAL);
	EXPECT(r == 0 || t.count == 0);
	for (size_t i = 0; i < t.count; i++) {
		const struct sysv_perm *perm = sysv_perm_at(&t, i);
		int64_t found = sysv_table_find(&t, perm->id);

		/* The text may have it twice. */
		EXPECT(found >= 0 && (size_t)found <= i && sysv_perm_at(&t, (size_t)found)->id == perm->id);
		found = sysv_table_find_key(&t, perm->key);
		EXPECT(found >= 0 && (size_t)found <= i && sysv_perm_at(&t, (size_t)found)->key == perm->key);
		if (t.kind == SYSV_SHM)
			check_rss(&t, i);
	}
	sysv_table_free(&t);
	return 0;
}
