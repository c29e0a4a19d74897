/* SPDX-License-Identifier: MIT */
#include "lib/capability.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* As capset(2) takes them, without libcap: two words of 32 bits for each set. */
struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static int get(struct sets *sets)
{
	*sets = (struct sets){ .header = { .version = _LINUX_CAPABILITY_VERSION_3 } };
	return syscall(SYS_capget, &sets->header, sets->words) < 0 ? -errno : 0;
}

bool capability_has(int capability)
{
	struct sets sets;

	return get(&sets) == 0 &&
	       sets.words[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK((unsigned)capability);
}

const char *capability_name(int capability)
{
	static const char *const names[] = {
		[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
		[CAP_FOWNER] = "CAP_FOWNER",
		[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
		[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
		[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
		[CAP_LEASE] = "CAP_LEASE",
		[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
	};

	return capability >= 0 && (size_t)capability < ARRAY_SIZE(names) ? names[capability] : NULL;
}

/* Of the bounding set, by number, up to the last that this kernel knows. 0 or -errno. */
static int drop_bounding(uint64_t kept)
{
	for (unsigned long i = 0; i < 64; i++)
		if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0UL, 0UL, 0UL) < 0)
			return errno == EINVAL ? 0 : -errno;
	return 0;
}

/* Whether there is any that could be used, or passed on. The ambient ones are among the inheritable. */
static bool has_any(const struct sets *sets)
{
	uint32_t any = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sets->words); i++)
		any |= sets->words[i].permitted | sets->words[i].inheritable;
	return any != 0;
}

int capabilities_keep(uint64_t kept)
{
	struct sets sets;
	int r = get(&sets);

	/* A kernel that was built without users has no capabilities. */
	if (r < 0)
		return r == -ENOSYS ? 0 : r;
	if (has_any(&sets)) {
		/* The bounding set first: that takes one which may be among those to be given up. */
		if (capability_has(CAP_SETPCAP))
			r = drop_bounding(kept);
		for (size_t i = 0; i < ARRAY_SIZE(sets.words); i++) {
			sets.words[i].effective &= (uint32_t)(kept >> 32 * i);
			sets.words[i].permitted &= (uint32_t)(kept >> 32 * i);
			sets.words[i].inheritable = 0; /* with it go the ambient ones */
		}
		if (r == 0 && syscall(SYS_capset, &sets.header, sets.words) < 0)
			r = -errno;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 && r == 0 && has_any(&sets))
		r = -errno;
	return r;
}
