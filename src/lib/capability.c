/* SPDX-License-Identifier: MIT */
#include "lib/capability.h"

#include <linux/capability.h>
#include <sys/syscall.h>

bool capability_has(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &header, data) == 0 &&
	       data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK((unsigned)capability);
}
