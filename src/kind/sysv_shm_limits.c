/* SPDX-License-Identifier: MIT */
#include "kind/sysv_shm_limits.h"

#include "kind/common.h"

static uint64_t total_size(const struct snapshot *s, uint64_t unit)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->sysv[SYSV_SHM].count; i++) {
		uint64_t size = sysv_shm_at(&s->sysv[SYSV_SHM], i)->size;

		total += size / unit + (size % unit != 0);
	}
	return total;
}

static void limit_shmmni(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/shmmni", 0, &out->limit);
	out->used = value_u64(s->sysv[SYSV_SHM].count);
}

static void limit_shmall(struct snapshot *s, struct limit_value *out)
{
	limit_sysctl(s, "sys/kernel/shmall", 0, &out->limit);
	out->used = value_u64(total_size(s, (uint64_t)sysconf(_SC_PAGESIZE)));
}

static void limit_shmmax(struct snapshot *s, struct limit_value *out)
{
	uint64_t largest = 0;

	limit_sysctl(s, "sys/kernel/shmmax", 0, &out->limit);
	for (size_t i = 0; i < s->sysv[SYSV_SHM].count; i++)
		if (sysv_shm_at(&s->sysv[SYSV_SHM], i)->size > largest)
			largest = sysv_shm_at(&s->sysv[SYSV_SHM], i)->size;
	out->used = value_u64(largest);
}

const struct limit sysv_shm_limits[SYSV_SHM_NLIMITS] = {
	{ "shmmni", FIELD_U64, "segments in the IPC namespace", "kernel.shmmni", "shmget: ENOSPC", true,
	  SOURCE_SYSV_SHM, limit_shmmni },
	{ "shmall", FIELD_U64, "pages of all segments in the IPC namespace", "kernel.shmall",
	  "shmget: ENOSPC", true, SOURCE_SYSV_SHM, limit_shmall },
	{ "shmmax", FIELD_BYTES, "one segment (used: the largest)", "kernel.shmmax", "shmget: EINVAL", false,
	  SOURCE_SYSV_SHM, limit_shmmax },
};
